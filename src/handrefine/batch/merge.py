"""One annotation of all that a batch has refined, in the dataset's own files, and a verdict on every frame."""

import csv
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import handrefine
from handrefine.batch.cameras import CameraVerdict, camera_verdicts, write_cameras
from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.stitch import Choice, annotation_of, choices
from handrefine.datasets.registry import dataset_format, read_dataset
from handrefine.errors import InputError
from handrefine.export.new_output import new_folder
from handrefine.io.files import write_json
from handrefine.io.safe_paths import refuse_overlap
from handrefine.sequence import HandAnnotation, RefinedSequence, Side

#: Verdicts whose frames get the refined annotation; all others keep the dataset's.
USED = ("improved", "unchanged")
VERDICTS_CSV, VERDICTS_JSON, PROVENANCE = "verdict.csv", "verdict.json", "provenance.json"
CAMERAS_CSV = "cameras.csv"


@dataclass(frozen=True)
class Merged:
    """What a merge wrote: the dataset's files, how many frames of hands had which verdict, and the cameras."""

    files: tuple[Path, ...]
    counts: Mapping[str, int]
    used: int
    cameras: Sequence[CameraVerdict]


def merge(folder: BatchFolder, out: Path, *, use: Sequence[str] = USED) -> Merged:
    """Write one annotation of the whole dataset, and what was said of every frame beside it.

    Sequences are read and written one after the other. Where several clips speak of one frame, the best verdict is
    taken, and of equal ones that of the clip in whose middle the frame lies.

    Args:
        out: a new folder; it appears complete or not at all.
        use: verdicts of which frames get the refined annotation.

    Raises:
        InputError: `out` lies in the dataset, nothing is done yet, the dataset has no writer, or its annotation is
            of another hand model.
    """
    settings = folder.asked()
    data, name = Path(settings["data"]), str(settings["format"])
    refuse_overlap(data, out)
    write = dataset_format(data, name).write_all
    if write is None:
        raise InputError("this layout cannot be written", where=data, fix="handrefine export RUN --format npz")
    tasks = _by_sequence(folder)
    rows: list[Choice] = []
    with new_folder(out) as unfinished:
        parts = _refined(folder, tasks, settings, set(use), rows)
        files = write(parts, unfinished)
        if not any(row.used for row in rows):
            raise InputError(
                "no frame of the batch is to be used",
                where=folder.root,
                found=f"{len(rows)} frames of hands",
                fix="wait until tasks are done, or see `handrefine batch status`",
            )
        _write_table(unfinished / VERDICTS_CSV, rows)
        cameras = camera_verdicts(folder, [task for of in tasks.values() for task in of])
        write_cameras(unfinished / CAMERAS_CSV, cameras)
        counts = dict(sorted(Counter(row.verdict for row in rows).items()))
        used = sum(row.used for row in rows)
        summary = {"frames of hands": len(rows), "used": used, "by verdict": counts}
        write_json(unfinished / VERDICTS_JSON, {"summary": summary, "frames": [vars(row) for row in rows]})
        relative = tuple(path.relative_to(unfinished) for path in files)
        provenance = {
            "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "version": handrefine.__version__,
            "batch": str(folder.root.resolve()),
            "used verdicts": list(use),
            "settings": settings,
            "files": list(map(str, relative)),
            "filled": [
                {"sequence": row.sequence, "frame": row.frame, "hand": row.hand}
                for row in rows
                if row.filled and row.used
            ],
            "tasks": {row.task: row.sequence for row in rows if row.used},
        }
        write_json(unfinished / PROVENANCE, provenance)
    return Merged(tuple(out / path for path in relative), counts, used, cameras)


def _by_sequence(folder: BatchFolder) -> dict[str, list[BatchTask]]:
    found: dict[str, list[BatchTask]] = {}
    for name in folder.names():
        task = folder.task(name)
        found.setdefault(task.sequence, []).append(task)
    return found


def _refined(
    folder: BatchFolder,
    tasks: Mapping[str, Sequence[BatchTask]],
    settings: Mapping[str, Any],
    use: set[str],
    rows: list[Choice],
) -> Iterator[RefinedSequence]:
    """Every sequence of which some frame is to be used, with its new annotation; `rows` gets all choices."""
    for name, of in tasks.items():
        chosen, runs = choices(folder, of, use)
        rows += chosen
        if not any(row.used for row in chosen):
            continue
        sequence = read_dataset(
            Path(settings["data"]),
            format=str(settings["format"]),
            sequence=name,
            follow_links=bool(settings["follow_links"]),
        )
        annotations: dict[Side, HandAnnotation] = {}
        sides: list[Side] = sorted({row.hand for row in chosen}, reverse=True)
        for side in sides:
            used = [row for row in chosen if row.hand == side and row.used]
            if used:
                annotations[side] = annotation_of(side, used, runs, sequence)
        yield sequence, annotations


def _write_table(path: Path, rows: Sequence[Choice]) -> None:
    columns = [f.name for f in fields(Choice)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({name: _cell(getattr(row, name)) for name in columns} for row in rows)


def _cell(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else value

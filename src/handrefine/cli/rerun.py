"""`handrefine refine --rerun RUN`: a run again, from what its folder says of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handrefine.errors import InputError
from handrefine.io.text_files import read_json
from handrefine.runs.layout import RunLayout
from handrefine.runs.provenance import differences


def options_of(run: str | Path) -> dict[str, Any]:
    """The options of `refine` that the run was made with, but for `--out`.

    Raises:
        InputError: the folder does not say what was asked for.
    """
    from handrefine.task import Task

    task = Task.from_mapping(_mapping(RunLayout(Path(run)).task), where=RunLayout(Path(run)).task)
    return {
        "data": task.data,
        "format": task.format,
        "sequence": task.sequence,
        "hand": "both" if len(task.hands) > 1 else next(iter(task.hands)),
        "cameras": ",".join(task.cameras) or None,
        "holdout": ",".join(task.held_out) or None,
        "frames": task.frames,
        "follow_links": task.follow_links,
        "accept_worse": task.accept_worse,
        "settings": task.config,
    }


def what_has_changed(before: Path, now: Path) -> Iterator[str]:
    """Lines that say whether data and software were those of the run that was repeated."""
    old, new = RunLayout(before).provenance, RunLayout(now).provenance
    if not old.is_file():
        yield f"whether data and software have changed is not known: {old} does not exist"
        return
    told = differences(_mapping(old), _mapping(new))
    yield from (f"changed: {line}" for line in told)
    if not told:
        yield f"data and software are those of {before}"


def _mapping(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise InputError(
            "the run cannot be repeated: its folder does not say what it was asked for",
            where=path,
            fix="give a run folder of this version, or --config RUN/config.yaml with --data",
        )
    values = read_json(path)
    if not isinstance(values, Mapping):
        raise InputError("a file of a run holds no mapping", where=path, found=type(values).__name__)
    return values

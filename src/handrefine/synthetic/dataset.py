"""Many synthetic videos as one dataset: every video is the one sequence of a capture of its own."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handrefine.datasets.interhand26m_layout import (
    MADE_CAPTURE,
    MADE_SEQUENCE,
    MADE_SPLIT,
    annotation_path,
    sequence_name,
)
from handrefine.datasets.interhand26m_mark import mark_path
from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.synthetic.video import TRUTH_FILE

KINDS = ("camera", "joint_3d", "MANO_NeuralAnnot", "data")


def join_videos(videos: Sequence[Path], out: Path) -> list[str]:
    """Make one dataset of videos that `synthesize` made; images are copied.

    The truth of sequence `test/Capture{k}/synthetic` is `truth/{k}.npz`.

    Returns:
        The names of the sequences, in the order of the videos.

    Raises:
        InputError: there are no videos.
    """
    if not videos:
        raise InputError("there are no videos to join", where=out)
    joined: dict[str, Any] = {kind: {} for kind in KINDS} | {"data": {"images": [], "annotations": []}}
    for number, video in enumerate(videos):
        for kind in KINDS:
            path = annotation_path(video, MADE_SPLIT, kind)
            if path.is_file():
                _add(joined, kind, json.loads(path.read_text(encoding="utf-8")), str(number))
        for folder in ("images", "masks"):
            source = video / folder / MADE_SPLIT / f"Capture{MADE_CAPTURE}"
            if source.is_dir():
                shutil.copytree(source, out / folder / MADE_SPLIT / f"Capture{number}")
        (out / "truth").mkdir(parents=True, exist_ok=True)
        shutil.copy(video / TRUTH_FILE, out / "truth" / f"{number}.npz")
    for kind, content in joined.items():
        path = annotation_path(out, MADE_SPLIT, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content:
            path.write_text(json.dumps(content), encoding="utf-8")
    mark = mark_path(annotation_path(videos[0], MADE_SPLIT, "MANO_NeuralAnnot"))
    write_json(mark_path(annotation_path(out, MADE_SPLIT, "MANO_NeuralAnnot")), json.loads(mark.read_text()))
    return [sequence_name(MADE_SPLIT, str(number), MADE_SEQUENCE) for number in range(len(videos))]


def _add(joined: dict[str, Any], kind: str, content: dict[str, Any], capture: str) -> None:
    if kind == "data":
        images = [
            {
                **entry,
                "capture": capture,
                "subject": capture,
                "file_name": entry["file_name"].replace(f"Capture{MADE_CAPTURE}/", f"Capture{capture}/", 1),
            }
            for entry in content["images"]
        ]
        joined[kind]["images"] += images
    else:
        joined[kind][capture] = content[MADE_CAPTURE]

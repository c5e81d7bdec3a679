"""What writers of refined annotations share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from handrefine.errors import InputError
from handrefine.sequence import FrameId, HandAnnotation, HandSequence


@dataclass(frozen=True)
class SourceFolder:
    """Where a sequence was read from; root: the dataset's folder."""

    root: Path


S = TypeVar("S", bound=SourceFolder)


def own_folder(sequence: HandSequence, kind: type[S], out_dir: Path) -> S:
    """Where a sequence was read from.

    Raises:
        InputError: it was not read from this layout, or the dataset itself would be written to.
    """
    source: Any = sequence.source
    if not isinstance(source, kind):
        raise InputError(
            "only a sequence that was read from this layout can be written back to it", where=sequence.name
        )
    if Path(out_dir).resolve() == source.root.resolve():
        raise InputError(
            "the refined annotation would overwrite the dataset's own", where=out_dir, fix="choose another folder"
        )
    return source


def valid_frames(sequence: HandSequence, annotation: HandAnnotation) -> Iterator[tuple[int, FrameId]]:
    """The rows and numbers of the frames at which the annotation says something.

    Raises:
        InputError: it does not fit the sequence, or is not finite there.
    """
    where = f"{sequence.name}, {annotation.side} hand"
    parts = {"joints_world": annotation.joints_world}
    if annotation.mano is not None:
        parts |= {name: getattr(annotation.mano, name) for name in ("pose_aa", "shape", "trans_m")}
    count = len(sequence.frames)
    valid = np.ones(count, dtype=bool) if annotation.mano_valid is None else annotation.mano_valid
    for name, values in parts.items():
        if values is None:
            continue
        if len(values) != count or len(valid) != count:
            raise InputError(f"{name} has the wrong length", where=where, expected=count, found=len(values))
        if not np.isfinite(values[valid]).all():
            raise InputError(f"{name} is not finite", where=where)
    return ((row, frame) for row, frame in enumerate(sequence.frames) if valid[row])

"""Frames as a user names them: by the dataset's own numbers, one by one, in ranges, in steps."""

import re
from collections.abc import Sequence

from handrefine.errors import InputError
from handrefine.sequence import FrameId

_NUMBER = re.compile(r"\d{1,9}")
_RANGE = re.compile(r"(\d{1,9})?:(\d{1,9})?(?::(0*[1-9]\d{0,8})?)?")


def frames_named(choice: str, frames: Sequence[FrameId], where: object = None) -> list[FrameId]:
    """Those of the frames that are meant, in their order.

    Args:
        choice: numbers and ranges, separated by commas: `3,7,9`, `0:500:5`, `100:`, `0:20,35`. A range begins,
            steps and ends (before its second number) by frame numbers; numbers that no frame has are passed over.
        frames: the dataset's numbers, ascending.

    Raises:
        InputError: the choice has another form, names a single frame that is not there, or a part of it chooses
            nothing.
    """
    chosen: set[FrameId] = set()
    for part in (part.strip() for part in choice.removesuffix(",").split(",")):
        if _NUMBER.fullmatch(part):
            found = {frame for frame in frames if frame == int(part)}
        elif match := _RANGE.fullmatch(part):
            first, end, step = match.groups()
            numbers = range(int(first or frames[0]), frames[-1] + 1 if end is None else int(end), int(step or 1))
            found = {frame for frame in frames if frame in numbers}
        else:
            raise InputError(
                "frames are given in another form",
                where=where,
                expected="numbers and ranges such as 3,7,9 or 0:500:5",
                found=choice,
            )
        if not found:
            raise InputError(
                "there is no such frame" if _NUMBER.fullmatch(part) else "no frame is chosen",
                where=where,
                found=part,
                expected=f"some of the {len(frames)} frames from {frames[0]} to {frames[-1]}: {_some(frames)}",
            )
        chosen |= found
    return [frame for frame in frames if frame in chosen]


def as_choice(frames: Sequence[FrameId]) -> str:
    """The choice that names exactly these frames."""
    return ",".join(map(str, frames))


def _some(frames: Sequence[FrameId]) -> str:
    return ", ".join(map(str, frames[:8])) + (" ..." if len(frames) > 8 else "")

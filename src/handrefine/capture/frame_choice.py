"""Which frames of a capture become the dataset's."""

import re
from collections.abc import Sequence

import numpy as np

from handrefine.errors import InputError
from handrefine.frame_ranges import frames_named
from handrefine.sequence import FrameId


def chosen_frames(
    frames: Sequence[FrameId],
    choice: str | None,
    fps: float | None,
    source_fps: float | None,
    shared: Sequence[FrameId] = (),
) -> list[FrameId]:
    """The frames that the user asks for.

    Args:
        choice: a number of frames, evenly spread (`10`); frames by number (`19,74,94`); or a range, its end left
        out
            (`0:300`, `0:300:30`). All when None.
        fps: of those, so many a second.
        shared: a number of frames is spread over these; over all when there are none.

    Raises:
        InputError: the choice has another form, names a frame that is not there, or `fps` is asked for where the
            source's is not known.
    """
    chosen = _by_choice(list(frames), list(shared or frames), choice)
    if fps is None:
        return chosen
    if source_fps is None:
        raise InputError("the images' frame rate is not known", fix="choose with --frames, e.g. 0:300:30")
    if fps <= 0:
        raise InputError("--fps must be positive", found=fps)
    step = max(source_fps / fps, 1.0)
    slots = [int(np.floor(frame / step + 1e-9)) for frame in chosen]
    return [frame for k, frame in enumerate(chosen) if k == 0 or slots[k] != slots[k - 1]]


def _by_choice(frames: list[FrameId], shared: list[FrameId], choice: str | None) -> list[FrameId]:
    if choice is None:
        return frames
    if re.fullmatch(r"\d+", choice) and int(choice) > 0:
        return _spread(shared, int(choice))
    return frames_named(choice, frames)


def _spread(frames: list[FrameId], count: int) -> list[FrameId]:
    places = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    return [frames[k] for k in places]

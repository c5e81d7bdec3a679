"""Frames as a user names them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrefine.errors import InputError
from handrefine.frame_ranges import as_choice, frames_named
from handrefine.sequence import FrameId

FRAMES = [FrameId(k) for k in (3, 7, 12, 15, 20)]


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("7", [7]),
        ("12,3", [3, 12]),
        ("7,", [7]),
        (":", FRAMES),
        ("7:20", [7, 12, 15]),
        ("7:", [7, 12, 15, 20]),
        (":7", [3]),
        ("0:21:5", [15, 20]),
        ("::4", [3, 7, 15]),
        ("3, 12:16", [3, 12, 15]),
    ],
)
def test_what_is_meant(choice: str, meant: list[int]) -> None:
    assert frames_named(choice, FRAMES) == meant


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("4", "no such frame"),
        ("3,4", "no such frame"),
        ("4:7", "no frame is chosen"),
        ("20:3", "no frame is chosen"),
        *((wrong, "another form") for wrong in ("", ",", "a", "3;7", "-3", "0:9:0", "1:2:3:4", "3.5", "9" * 12)),
    ],
)
def test_what_is_refused(choice: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        frames_named(choice, FRAMES, "DATA")
    assert "DATA" in str(caught.value)


@given(st.sets(st.integers(0, 10**6), min_size=1))
def test_frames_can_be_named_exactly(numbers: set[int]) -> None:
    frames = [FrameId(k) for k in sorted(numbers)]
    assert frames_named(as_choice(frames), frames) == frames

"""Time offsets of cameras that started at different times."""

from pathlib import Path

import made_captures
import numpy as np
import pytest

from handrefine.capture.convention_check import residual_px
from handrefine.capture.detections import Detections
from handrefine.capture.joints import joints_in_space
from handrefine.capture.synchronisation import TimeOffsets, find_offsets, interpolated, synchronised
from handrefine.errors import InputError
from handrefine.sequence import FrameId

N_FRAMES = 90


class Video:
    where, numbers, size, fps = Path("nowhere"), tuple(FrameId(k) for k in range(N_FRAMES)), (1280, 1024), 30.0

    def images(self, numbers):
        yield from ()


def unsynchronised(cameras: list, offsets: list[float], noise_px: float) -> Detections:
    """What the cameras' detectors see, camera c at the instants `frame + offsets[c]`."""
    fine = made_captures.hands(4 * (N_FRAMES + 60))  # its time runs at a quarter of the usual pace below
    parts = []
    for c, camera in enumerate(cameras):
        instants = (np.arange(N_FRAMES) + 30 + offsets[c]) * 2
        joints = interpolated(fine, 0.0)[np.round(instants).astype(int)]
        parts.append(made_captures.detected([camera], joints, np.random.default_rng(c), noise_px=noise_px))
    return Detections(
        tuple(camera.name for camera in cameras),
        np.concatenate([part.uv_px for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.right_score for part in parts]),
    )


def test_offsets_are_found_and_taken_out() -> None:
    cameras = made_captures.rig(3)
    found = unsynchronised(cameras, [0.0, 7.0, -11.5], 2.0)
    offsets = find_offsets(cameras, found)
    np.testing.assert_allclose(list(offsets.frames.values()), [0.0, 7.0, -11.5], atol=0.25)
    sources, moved = synchronised({c.name: Video() for c in cameras}, cameras, found, offsets)
    assert [source.numbers[0] for source in sources.values()] in ([0, 7, -11], [0, 7, -12])
    assert residual_px(cameras, moved) < 0.3 * residual_px(cameras, found)
    assert joints_in_space(cameras, moved).valid.mean() > 0.8


def test_a_hand_at_rest_tells_no_time() -> None:
    cameras = made_captures.rig(2)
    still = np.repeat(made_captures.hands(1), N_FRAMES, axis=0)
    found = made_captures.detected(cameras, still, np.random.default_rng(0), noise_px=2)
    with pytest.raises(InputError, match="does not tell the time offset"):
        find_offsets(cameras, found)


def test_offsets_in_words() -> None:
    assert TimeOffsets({"a": 0.0, "b": -3.26}).words() == "a +0.0, b -3.3"

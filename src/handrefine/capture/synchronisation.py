"""Time offsets of cameras that did not start together, found from the hands' motion in 2D.

At the right offsets the rays of one and the same joint meet: what is minimised is the mean distance of a joint
from its epipolar line, truncated, over all pairs of cameras and both hands. Whole frames are searched first, then
fractions, in which 2D joints are interpolated linearly. Motion along epipolar lines tells nothing, and neither
does a hand at rest.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.detections import Detections
from handrefine.capture.hand_assignment import assign_hands
from handrefine.capture.joints import normalised
from handrefine.capture.sources import FrameSource, ShiftedSource, all_frames
from handrefine.capture.triangulation import Rig
from handrefine.errors import InputError
from handrefine.sequence import FrameId

#: Offsets that are tried, in frames, and the fraction that is told.
_MOST_FRAMES, _STEP = 90, 0.1
#: Distances count at most this much (normalised coordinates).
_MOST = 0.03
#: Two cameras must share so many frames with a hand at an offset for it to count.
_LEAST_SHARED = 10
#: At the best offset the distance must be below so much of the usual one, or motion tells nothing.
_TELLING = 0.8
_SWEEPS = 2


@dataclass(frozen=True)
class TimeOffsets:
    """Frame f of camera c shows the instant `f + frames[c]` of the first camera's clock; `step` is that of the
    frames' numbers."""

    frames: Mapping[str, float]
    step: int = 1

    def whole(self, name: str) -> int:
        """The offset in frames that there are."""
        return self.step * round(self.frames[name] / self.step)

    def words(self) -> str:
        return ", ".join(f"{name} {offset:+.1f}" for name, offset in self.frames.items())


def find_offsets(cameras: Sequence[RigCamera], detections: Detections) -> TimeOffsets:
    """The cameras' offsets in frames; the first one's is 0.

    Args:
        cameras: in the order of the detections, R and t from world to camera.

    Raises:
        InputError: a camera shares too few frames with the others, the hands hardly move, or a camera does.
    """
    if moving := [camera.name for camera in cameras if camera.path is not None]:
        raise InputError(
            "time offsets of cameras that move are not found", where="--sync", found=", ".join(moving)
        )
    rig, rays = Rig.of(cameras, (0,)), normalised(cameras, detections)
    exchanged = assign_hands(rig, detections, rays)
    rays = np.where(exchanged[:, :, None, None, None], rays[:, :, ::-1], rays)
    step = step_of(detections.numbers)
    rays = np.stack([_on_grid(own, detections.numbers, step, np.nan) for own in rays])
    offsets = np.zeros(len(cameras))
    known = [0]
    whole = np.arange(-_MOST_FRAMES, _MOST_FRAMES + 1, dtype=np.float64)
    for c in range(1, len(cameras)):
        costs = np.array([_cost(rig, rays, c, d, offsets, known) for d in whole])
        if not np.isfinite(costs).any():
            raise InputError("a camera shares too few frames with a hand with the others", where=cameras[c].name)
        if np.nanmin(costs) > _TELLING * np.nanmedian(costs):
            raise InputError(
                "the hands' motion does not tell the time offset",
                where=f"camera {cameras[c].name}",
                found=f"a mean distance of {np.nanmin(costs):.4f} at best, {np.nanmedian(costs):.4f} usually",
                fix="begin the recording with a quick wave of the hand, or leave out --sync",
            )
        offsets[c] = whole[int(np.nanargmin(costs))]
        known.append(c)
    fractions = np.arange(-1.5, 1.5 + _STEP / 2, _STEP)
    for _ in range(_SWEEPS):
        for c in range(1, len(cameras)):
            others = [k for k in range(len(cameras)) if k != c]
            costs = np.array([_cost(rig, rays, c, offsets[c] + d, offsets, others) for d in fractions])
            offsets[c] += fractions[int(np.nanargmin(costs))]
    return TimeOffsets({camera.name: float(offsets[k]) * step for k, camera in enumerate(cameras)}, step)


def step_of(frames: Sequence[int]) -> int:
    """The largest step in which numbers of frames go: 1 unless every so many-th frame was kept."""
    return math.gcd(*np.diff(frames).tolist()) or 1


def _on_grid(values: np.ndarray, frames: Sequence[int], step: int, empty: float) -> np.ndarray:
    """Values of some frames at all frames of the grid from the first to the last."""
    rows = (np.array(frames) - frames[0]) // step
    every = np.full((rows[-1] + 1, *values.shape[1:]), empty)
    every[rows] = values
    return every


def _cost(rig: Rig, rays: np.ndarray, c: int, offset: float, offsets: np.ndarray, others: Sequence[int]) -> float:
    """Mean truncated distance of camera c, if its offset were this, from the epipolar lines of the others."""
    total, count = 0.0, 0
    for other in others:
        moved = interpolated(rays[c], offsets[other] - offset)
        distance = rig.epipolar(other, c, rays[other], moved)
        shared = np.isfinite(distance)
        if shared.any(axis=(1, 2)).sum() >= _LEAST_SHARED:
            total += float(np.minimum(distance[shared], _MOST).sum())
            count += int(shared.sum())
    return total / count if count else float("nan")


def interpolated(values: Float[np.ndarray, "frame *rest"], shift: float) -> Float[np.ndarray, "frame *rest"]:
    """`values` at the places `frame + shift`, linearly between two frames; NaN where one of them is."""
    n = len(values)
    at = np.arange(n) + shift
    low = np.floor(at + 1e-9).astype(int)
    share = (at - low).clip(0, 1).reshape(-1, *(1,) * (values.ndim - 1))
    exact = np.abs(share) < 1e-6

    def row(index: np.ndarray) -> np.ndarray:
        inside = ((index >= 0) & (index < n)).reshape(-1, *(1,) * (values.ndim - 1))
        return np.where(inside, values[index.clip(0, n - 1)], np.nan)

    return np.where(exact, row(low), (1 - share) * row(low) + share * row(low + 1))


def synchronised(
    sources: Mapping[str, FrameSource], cameras: Sequence[RigCamera], detections: Detections, offsets: TimeOffsets
) -> tuple[dict[str, FrameSource], Detections]:
    """Images and detections by the first camera's frames.

    Images are moved by whole frames, the 2D joints to the very instant: an image may be half a frame off.

    Args:
        detections: at the frames of `all_frames(sources)`.
    """
    rig, rays = Rig.of(cameras, (0,)), normalised(cameras, detections)
    detections = detections.swapped(assign_hands(rig, detections, rays))
    moved: dict[str, FrameSource] = {
        name: ShiftedSource(source, offsets.whole(name)) for name, source in sources.items()
    }
    after = all_frames(list(moved.values()))
    parts = [_at(detections, c, after, offsets.frames[name], offsets.step) for c, name in enumerate(sources)]
    return moved, replace(
        detections,
        uv_px=np.stack([uv for uv, _, _ in parts]),
        confidence=np.stack([confidence for _, confidence, _ in parts]),
        right_score=np.stack([score for _, _, score in parts]),
        frames=after,
    )


def _at(
    detections: Detections, c: int, after: Sequence[FrameId], offset: float, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One camera's points, confidences and sides at the frames `after`."""
    before = detections.numbers
    frames = sorted({*before, *after})
    wanted = (np.array(after) - frames[0]) // step

    def moved(values: np.ndarray, empty: float) -> np.ndarray:
        every = np.full((len(frames), *values.shape[1:]), empty)
        every[np.searchsorted(frames, before)] = values
        return interpolated(_on_grid(every, frames, step, empty), -offset / step)[wanted]

    uv_px = moved(detections.uv_px[c], np.nan)
    known = np.isfinite(uv_px[..., 0])
    confidence = np.nan_to_num(moved(detections.confidence[c], 0.0))
    score = moved(detections.right_score[c], 0.5)
    return uv_px, np.where(known, confidence, 0.0), np.nan_to_num(score, nan=0.5)

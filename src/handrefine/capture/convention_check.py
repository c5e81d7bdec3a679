"""What the detected joints say of the calibration: a reading that fits far better than the stated one is named."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import TypeVar

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.calibration.rotations import checked_rotation
from handrefine.capture.conventions import Convention, readings
from handrefine.capture.detections import Detections
from handrefine.capture.joints import normalised
from handrefine.capture.triangulation import Rig
from handrefine.errors import InputError

#: The residual is told of so many frames; the many readings are screened on fewer.
_FRAMES, _SCREENED = 60, 8
#: All pairs of so many cameras, spread over the rig, tell the readings apart.
_MOST_CAMERAS = 6
#: A residual counts at most so much of the image's width, and so much where rays meet behind a camera.
_MOST = 0.25
#: Another reading is named where this one's residual is above so much of the focal length, and the other's below
#: so much of this one's.
_BAD, _MUCH_BETTER = 0.002, 0.55
#: A reading is as good as the best one up to this; the more usual one is named then.
_AS_GOOD = 1.3
_MOST_PERMUTED = 4
_Reading = TypeVar("_Reading")


def residual_px(cameras: Sequence[RigCamera], detections: Detections, n_frames: int = _FRAMES) -> float:
    """How far joints lie from each other's epipolar lines in pixels: the median over frames and joints, the mean
    over all pairs of cameras, so that no pair can hide behind others that fit. NaN where no two cameras see a
    hand."""
    part = detections.at(_telling_frames(detections, n_frames))
    return _residual_px(cameras, part.numbers, normalised(cameras, part))


def _residual_px(cameras: Sequence[RigCamera], frames: Sequence[int], rays: np.ndarray) -> float:
    rig = Rig.of(cameras, frames)
    focal_px = float(rig.focal_px.mean())
    most = _MOST * 2 * max(float(camera.K[0, 2]) for camera in cameras) / focal_px
    of_pairs = [_pair(rig, rays, i, j, most) for i, j in combinations(range(len(cameras)), 2)]
    known = [of_pair for of_pair in of_pairs if np.isfinite(of_pair)]
    return float(np.mean(known)) * focal_px if known else float("nan")


def _pair(rig: Rig, rays: np.ndarray, i: int, j: int, most: float) -> float:
    """Of two cameras, in normalised coordinates; `most` where rays meet behind a camera. Hands are paired such
    that they fit best, frame by frame."""
    one, other = np.broadcast_arrays(rays[i][:, :, None], rays[j][:, None])
    miss = (rig.epipolar(i, j, one, other) + rig.epipolar(j, i, other, one)) / 2
    miss = np.minimum(np.where(rig.behind(i, j, one, other), most, miss), most)
    seen = np.asarray(np.isfinite(miss).any(axis=-1))
    of_hands = np.where(seen, np.nanmedian(np.where(seen[..., None], miss, 0.0), axis=-1), np.nan)
    paired = np.stack([[of_hands[:, 0, 0], of_hands[:, 1, 1]], [of_hands[:, 0, 1], of_hands[:, 1, 0]]])
    count = np.isfinite(paired).sum(axis=1)
    cost = np.where(count > 0, np.nansum(paired, axis=1) / np.maximum(count, 1), np.inf).min(axis=0)
    cost = cost[np.isfinite(cost)]
    return float(np.median(cost)) if len(cost) else float("nan")


def _telling_frames(detections: Detections, count: int) -> np.ndarray:
    """Frames that most cameras see a hand at, evenly spread over the video."""
    seen = np.isfinite(detections.uv_px[..., 0]).any(axis=(2, 3)).sum(axis=0)
    frames = np.flatnonzero(seen >= 2)
    frames = frames[np.argsort(-seen[frames], kind="stable")]
    best = np.sort(frames[: max(count, int((seen == seen.max(initial=0)).sum()))])
    if not len(best):
        return best
    return best[np.unique(np.linspace(0, len(best) - 1, min(count, len(best))).astype(int))]


def check_convention(read: Sequence[RigCamera], given: Convention, detections: Detections) -> float:
    """The residual in pixels of the cameras as `read`, under the given convention.

    Raises:
        InputError: it is large, and another convention, or other names of the cameras, make it much smaller; or
            the rotations are mirror images under it.
    """
    cameras = [given.apply(camera) for camera in read]
    mirrors = any(np.linalg.det(camera.R_cam_world) < 0 for camera in cameras)
    own = residual_px(cameras, detections)
    if not mirrors and not own > _BAD * float(np.mean([camera.K[0, 0] for camera in read])):
        return own
    order, exchanged = ((), float("nan")) if mirrors else _best_order(cameras, detections)
    best, residual = _best_reading(read, given, detections)
    # A mirrored world looks the same from all cameras: what its residual falls from says nothing.
    better = residual < (own * _AS_GOOD if mirrors else own * _MUCH_BETTER)
    if best is not None and better and not exchanged * _AS_GOOD < residual:
        raise InputError(
            "the calibration does not mean what was assumed",
            where=f"--convention {given.name}: {given.words}",
            found=f"joints {own:.0f} px off where the cameras meet"
            f"{' (and the rotations are mirror images)' if mirrors else ''}; with {best.words} the residual falls "
            f"from {own:.0f} to {residual:.1f} px",
            fix=f"--convention {best.name}",
        )
    if exchanged < _MUCH_BETTER * own:
        pairs = ", ".join(f"{cameras[i].name}={cameras[j].name}" for i, j in enumerate(order) if i != j)
        raise InputError(
            "the images seem to belong to other cameras of the calibration",
            found=f"the residual falls from {own:.0f} to {exchanged:.1f} px if they are exchanged: {pairs}",
            fix="exchange the names in --video or --images",
        )
    for camera in cameras:
        checked_rotation(camera.R_cam_world, f"camera {camera.name}")
    return own


def _best_reading(
    read: Sequence[RigCamera], given: Convention, detections: Detections
) -> tuple[Convention | None, float]:
    """The reading of the file that fits best, and its residual, of some of the cameras where they are many."""
    kept = np.unique(np.linspace(0, len(read) - 1, min(_MOST_CAMERAS, len(read))).astype(int))
    read, detections = [read[k] for k in kept.tolist()], detections.of_cameras(kept)
    parts = {n: detections.at(_telling_frames(detections, n)) for n in (_SCREENED, _FRAMES)}
    rays = {n: normalised(read, part) for n, part in parts.items()}  # no reading changes them
    return _best(
        [reading for reading in readings(read[0], given) if reading != given],
        lambda reading, n: _residual_px([reading.apply(camera) for camera in read], parts[n].numbers, rays[n]),
    )


def _best(
    candidates: Iterable[_Reading], residual: Callable[[_Reading, int], float]
) -> tuple[_Reading | None, float]:
    """The first of the candidates that are as good as the best: by few frames, then by all."""
    screened: Mapping[_Reading, float] = {c: residual(c, _SCREENED) for c in candidates}
    least = min((r for r in screened.values() if np.isfinite(r)), default=np.nan)
    first = next((c for c, r in screened.items() if r <= max(_AS_GOOD * least, least + 0.5)), None)
    return first, float("nan") if first is None else residual(first, _FRAMES)


def _best_order(cameras: Sequence[RigCamera], detections: Detections) -> tuple[tuple[int, ...], float]:
    """How few cameras' images would have to be exchanged to fit best, and the residual then."""
    every = tuple(range(len(cameras)))
    orders = [order for order in permutations(every) if order != every] if len(cameras) <= _MOST_PERMUTED else []
    best, residual = _best(orders, lambda order, n: residual_px([cameras[k] for k in order], detections, n))
    return best or every, residual

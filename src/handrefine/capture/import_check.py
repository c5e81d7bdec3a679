"""What an import says of itself: the residual of every camera, the baselines, what was kept and dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.joints import JointsInSpace
from handrefine.capture.triangulation import Rig
from handrefine.sequence import FrameId, Side

SIDES: tuple[Side, Side] = ("right", "left")


@dataclass(frozen=True)
class CameraCheck:
    """One camera, at all frames that detections were made of.

    residual_px: median distance of its detections from the final joints' projections; NaN where it saw no hand.
    outliers: the share of its detected joints that the other cameras contradict.
    views: at how many frames it saw a hand.
    """

    name: str
    residual_px: float
    outliers: float
    views: int


@dataclass(frozen=True)
class ImportCheck:
    """What `handrefine import` prints, and writes as `import.json`.

    baseline_m: the distance of every two cameras' centres, and angle_deg what they enclose at the hand.
    spread_mm: standard deviation of a joint's coordinate that the detections leave, in the median.
    palm_mm: the median distance from wrist to middle knuckle.
    dropped: frames that were left out, by reason. notes: what was assumed or found.
    """

    unit_m: float
    cameras: tuple[CameraCheck, ...]
    baselines: tuple[tuple[str, str, float, float], ...]
    palm_mm: float
    spread_mm: float
    hands: tuple[Side, ...]
    frames: tuple[FrameId, ...]
    dropped: Mapping[str, Sequence[FrameId]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def camera_checks(cameras: Sequence[RigCamera], joints: JointsInSpace) -> tuple[CameraCheck, ...]:
    """How well every camera agrees with the joints."""
    frames = joints.detections.numbers
    checks = []
    for c, camera in enumerate(cameras):
        uv_px = joints.detections.uv_px[c]
        seen = np.isfinite(uv_px[..., 0]) & joints.valid
        residual = np.linalg.norm(camera.project_at(joints.joints_world, frames) - uv_px, axis=-1)[seen]
        outlying = ~joints.triangulated.inlier[c][seen]
        checks.append(
            CameraCheck(
                camera.name,
                float(np.nanmedian(residual)) if len(residual) else float("nan"),
                float(outlying.mean()) if len(outlying) else 0.0,
                int(np.isfinite(uv_px[..., 0]).any(axis=(1, 2)).sum()),
            )
        )
    return tuple(checks)


def baselines(cameras: Sequence[RigCamera], joints: JointsInSpace) -> tuple[tuple[str, str, float, float], ...]:
    """Two names, the distance of the centres in metres, and the angle in degrees at the hands' median place; of
    cameras that move in the median over the frames."""
    frames = joints.detections.numbers
    rig = Rig.of(cameras, frames)
    known = np.isfinite(joints.joints_world).any(axis=(1, 2, 3))
    place = np.nanmedian(joints.joints_world[known].reshape(known.sum(), -1, 3), axis=1)
    centers = np.broadcast_to(rig.centers, (len(cameras), len(frames), 3))[:, known]
    to_cameras = centers - place
    to_cameras = to_cameras / np.linalg.norm(to_cameras, axis=-1, keepdims=True)
    found = []
    for i, j in combinations(range(len(cameras)), 2):
        angles = np.degrees(np.arccos(np.clip((to_cameras[i] * to_cameras[j]).sum(axis=-1), -1, 1)))
        distances = np.linalg.norm(centers[i] - centers[j], axis=-1)
        found.append((cameras[i].name, cameras[j].name, float(np.median(distances)), float(np.median(angles))))
    return tuple(found)


def spread_mm(joints: JointsInSpace) -> float:
    """The median over joints of the root mean variance of a coordinate, before smoothing, in millimetres."""
    variance = np.einsum("...ii->...", joints.triangulated.covariance) / 3
    known = np.isfinite(variance)
    return float(np.sqrt(np.median(variance[known])) * 1e3) if known.any() else float("nan")

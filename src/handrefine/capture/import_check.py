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
    checks = []
    for c, camera in enumerate(cameras):
        uv_px = joints.detections.uv_px[c]
        seen = np.isfinite(uv_px[..., 0]) & joints.valid
        residual = np.linalg.norm(camera.project(joints.joints_world) - uv_px, axis=-1)[seen]
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
    """Two names, the distance of the centres in metres, and the angle in degrees at the hands' median place."""
    rig = Rig.of(cameras)
    place = np.nanmedian(joints.joints_world.reshape(-1, 3), axis=0)
    to_cameras = rig.centers - place
    found = []
    for i, j in combinations(range(len(cameras)), 2):
        a, b = to_cameras[i], to_cameras[j]
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        distance = float(np.linalg.norm(rig.centers[i] - rig.centers[j]))
        found.append(
            (cameras[i].name, cameras[j].name, distance, float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
        )
    return tuple(found)


def spread_mm(joints: JointsInSpace) -> float:
    """The median over joints of the root mean variance of a coordinate, before smoothing, in millimetres."""
    variance = np.einsum("...ii->...", joints.triangulated.covariance) / 3
    known = np.isfinite(variance)
    return float(np.sqrt(np.median(variance[known])) * 1e3) if known.any() else float("nan")

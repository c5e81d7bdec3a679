"""3D joints of both hands at every frame, of 2D detections in calibrated cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.detections import Detections
from handrefine.capture.hand_assignment import assign_hands
from handrefine.capture.smoothing import smooth
from handrefine.capture.triangulation import Rig, Triangulated, triangulate


@dataclass(frozen=True, eq=False)
class JointsInSpace:
    """Joints of the right hand (0) and the left hand (1), in the calibration's unit.

    valid: where a joint is known; elsewhere `joints_world` is NaN.
    detections: those that the joints are made of, slot 0 the right hand.
    triangulated: before smoothing.
    """

    joints_world: Float[np.ndarray, "frame 2 21 3"]
    valid: Bool[np.ndarray, "frame 2 21"]
    detections: Detections
    triangulated: Triangulated


def normalised(cameras: Sequence[RigCamera], detections: Detections) -> Float[np.ndarray, "camera frame 2 21 2"]:
    """The detections as undistorted normalised coordinates; NaN also where a moving camera has no pose."""
    rays = np.stack([camera.rays(uv_px) for camera, uv_px in zip(cameras, detections.uv_px, strict=True)])
    for camera, own in zip(cameras, rays, strict=True):
        if camera.path is not None:
            own[~np.isin(detections.numbers, camera.path.frames)] = np.nan
    return rays


def joints_in_space(
    cameras: Sequence[RigCamera],
    detections: Detections,
    *,
    unit_m: float = 1.0,
    smoothed: bool = True,
) -> JointsInSpace:
    """Which hand is which, where its joints are, and how they move.

    Args:
        cameras: in the order of the detections' cameras.
        unit_m: metres a unit of the calibration: how much motion is usual is known in metres.
        smoothed: False leaves every frame by itself.
    """
    rig, rays = Rig.of(cameras, detections.numbers), normalised(cameras, detections)
    exchanged = assign_hands(rig, detections, rays)
    detections = detections.swapped(exchanged)
    rays = np.where(exchanged[:, :, None, None, None], rays[:, :, ::-1], rays)
    found = triangulate(rig, rays, detections.confidence)
    joints, valid = found.points, np.asarray(np.isfinite(found.points).all(axis=-1))
    if smoothed:
        parts = [
            smooth(found.points[:, side] * unit_m, found.covariance[:, side] * unit_m**2) for side in range(2)
        ]
        joints = np.stack([part.points for part in parts], axis=1) / unit_m
        valid = np.stack([part.valid for part in parts], axis=1)
    return JointsInSpace(joints, valid, detections, found)

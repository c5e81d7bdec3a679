"""Which way a calibration's rotations and translations are meant, and what the joints say about it.

Papers and tools disagree: world to camera or back, matrices by rows or by columns, the camera's position in the
place of the translation, OpenGL's axes (y up, z backwards) in the place of OpenCV's. What the user states, or the
format defines, is taken; if the detected joints fit another reading far better, that reading is named in an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.detections import Detections
from handrefine.capture.hand_assignment import assign_hands
from handrefine.capture.joints import normalised
from handrefine.capture.triangulation import Rig, triangulate
from handrefine.errors import InputError

_OPENGL = np.diag([1.0, -1.0, -1.0])
#: The readings are compared on so many frames.
_FRAMES = 60
#: A residual counts at most so much of the image's width, and so much where no two cameras can make the joint.
_MOST = 0.25
#: Another reading is named where this one's residual is above so much of the focal length, and the other's below
#: so much of this one's.
_BAD, _MUCH_BETTER = 0.008, 0.4
_MOST_PERMUTED = 4


def _inverse(camera: RigCamera) -> RigCamera:
    R, t = camera.R_cam_world, camera.t_cam_world
    return replace(camera, R_cam_world=R.T, t_cam_world=-R.T @ t)


def _transposed(camera: RigCamera) -> RigCamera:
    return replace(camera, R_cam_world=camera.R_cam_world.T)


def _position(camera: RigCamera) -> RigCamera:
    return replace(camera, t_cam_world=-camera.R_cam_world @ camera.t_cam_world)


def _opengl(camera: RigCamera) -> RigCamera:
    return replace(camera, R_cam_world=_OPENGL @ camera.R_cam_world, t_cam_world=_OPENGL @ camera.t_cam_world)


@dataclass(frozen=True)
class Convention:
    """One reading of R and t as they stand in a file."""

    words: str
    apply: Callable[[RigCamera], RigCamera]


#: What `--convention` takes.
CONVENTIONS: Mapping[str, Convention] = {
    "world-to-cam": Convention("x_cam = R x_world + t", lambda camera: camera),
    "cam-to-world": Convention("x_world = R x_cam + t", _inverse),
    "position": Convention("R from world to camera, t the camera's position", _position),
    "transposed": Convention("the rotations transposed, t as it is", _transposed),
    "opengl": Convention("world to camera with OpenGL's axes, y up and z backwards", _opengl),
    "opengl-cam-to-world": Convention(
        "camera to world with OpenGL's axes, y up and z backwards", lambda camera: _opengl(_inverse(camera))
    ),
    "opengl-position": Convention(
        "OpenGL's axes, t the camera's position", lambda camera: _opengl(_position(camera))
    ),
}


def convention(name: str) -> Convention:
    """Raises:
    InputError: there is no such convention.
    """
    if name not in CONVENTIONS:
        raise InputError("there is no such convention", found=name, expected=", ".join(CONVENTIONS))
    return CONVENTIONS[name]


def residual_px(cameras: Sequence[RigCamera], detections: Detections) -> float:
    """The median distance of detections from their joints' projections in pixels; large where none can be made."""
    frames = _telling_frames(detections)
    part = replace(
        detections,
        uv_px=detections.uv_px[:, frames],
        confidence=detections.confidence[:, frames],
        right_score=detections.right_score[:, frames],
    )
    rig, rays = Rig.of(cameras), normalised(cameras, part)
    exchanged = assign_hands(rig, part, rays)
    rays = np.where(exchanged[:, :, None, None, None], rays[:, :, ::-1], rays)
    weight = part.swapped(exchanged).confidence
    found = triangulate(rig, rays, weight)
    shared = (np.isfinite(rays[..., 0]) & (weight > 0)).sum(axis=0) >= 2
    most = _MOST * 2 * max(float(camera.K[0, 2]) for camera in cameras)
    known = np.isfinite(rays[..., 0]) & (weight > 0) & shared
    residual = np.where(np.isfinite(found.residual_px), np.minimum(found.residual_px, most), most)[known]
    # Outliers, and joints that no two cameras can make, count: else a rig in which nothing meets would be judged
    # by the few joints that met by chance.
    return float(np.median(residual)) if len(residual) else float("nan")


def _telling_frames(detections: Detections) -> np.ndarray:
    """Frames that most cameras see a hand at, evenly spread over the video."""
    seen = np.isfinite(detections.uv_px[..., 0]).any(axis=(2, 3)).sum(axis=0)
    frames = np.flatnonzero(seen >= 2)
    frames = frames[np.argsort(-seen[frames], kind="stable")]
    best = np.sort(frames[: max(_FRAMES, int((seen == seen.max(initial=0)).sum()))])
    return (
        best[np.unique(np.linspace(0, len(best) - 1, min(_FRAMES, len(best))).astype(int))] if len(best) else best
    )


def check_convention(read: Sequence[RigCamera], name: str, detections: Detections) -> float:
    """The residual in pixels of the cameras as `read`, under the named convention.

    Raises:
        InputError: it is large, and another convention, or other names of the cameras, make it much smaller.
    """
    cameras = [convention(name).apply(camera) for camera in read]
    own = residual_px(cameras, detections)
    bad = _BAD * float(np.mean([camera.K[0, 0] for camera in read]))
    if not own > bad:
        return own
    others = {
        other: residual_px([c.apply(camera) for camera in read], detections)
        for other, c in CONVENTIONS.items()
        if other != name
    }
    best = min(others, key=lambda other: others[other])
    if others[best] < _MUCH_BETTER * own:
        raise InputError(
            "the calibration does not mean what was assumed",
            where=f"--convention {name}: {CONVENTIONS[name].words}",
            found=f"joints {own:.0f} px off where the cameras meet; with {CONVENTIONS[best].words} the residual "
            f"falls from {own:.0f} to {others[best]:.1f} px",
            fix=f"--convention {best}",
        )
    _check_names(cameras, own, detections)
    return own


def _check_names(cameras: Sequence[RigCamera], own: float, detections: Detections) -> None:
    """Raises:
    InputError: the images of some cameras belong to each other's calibrations.
    """
    if not 2 < len(cameras) <= _MOST_PERMUTED:
        orders = [(1, 0)] if len(cameras) == 2 else []
    else:
        orders = [order for order in permutations(range(len(cameras))) if order != tuple(range(len(cameras)))]
    found = {order: residual_px([cameras[k] for k in order], detections) for order in orders}
    best = min(found, key=lambda order: found[order], default=None)
    if best is not None and found[best] < _MUCH_BETTER * own:
        pairs = ", ".join(f"{cameras[i].name}={cameras[j].name}" for i, j in enumerate(best) if i != j)
        raise InputError(
            "the images seem to belong to other cameras of the calibration",
            found=f"the residual falls from {own:.0f} to {found[best]:.1f} px if they are exchanged: {pairs}",
            fix="exchange the names in --video or --images",
        )

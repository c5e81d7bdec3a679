"""Calibrations as datasets write them to cameras; every complaint names the file, the key and the camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float

from handrefine.camera import Camera, CameraPath
from handrefine.datasets.parsing import as_finite, require
from handrefine.errors import InputError
from handrefine.lens import Lens, LensModel

#: Skew of less than this moves no point of an image by a hundredth of a pixel.
NO_SKEW_PX = 1e-3
SHORTEST_FOCAL_PX = 0.1


@dataclass(frozen=True)
class Pinhole:
    """Size and intrinsics of a camera, in pixels; pixel (0, 0) has its centre at (0.5, 0.5)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


def focal_and_centre(K: Float[np.ndarray, "3 3"], where: str) -> tuple[float, float, float, float]:
    """(fx, fy, cx, cy) of a camera matrix.

    Raises:
        InputError: it is no pinhole's: skewed, mirrored, or of other entries.
    """
    if abs(K[0, 1]) > NO_SKEW_PX:
        raise InputError(
            "a camera matrix has skew, which is not supported",
            where=where,
            expected="K[0, 1] = 0",
            found=f"K[0, 1] = {K[0, 1]:g}",
            fix="resample the images without skew, and set it to 0",
        )
    if (
        min(K[0, 0], K[1, 1]) < SHORTEST_FOCAL_PX
        or abs(K[1, 0]) > NO_SKEW_PX
        or np.abs(K[2] - [0, 0, 1]).max() > 1e-9
    ):
        raise InputError(
            "a camera matrix is impossible",
            where=where,
            expected="fx 0 cx / 0 fy cy / 0 0 1, fx and fy positive",
            found=K.tolist(),
        )
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def calibrated_camera(
    name: str,
    pinhole: Pinhole,
    R_cam_world: Float[np.ndarray, "3 3"],
    t_cam_world: Float[np.ndarray, "3"],
    where: str,
    *,
    grey: bool = False,
) -> Camera:
    """A camera whose faults are told with the file that they are in.

    Raises:
        InputError: as `Camera`.
    """
    p = pinhole
    try:
        return Camera(name, p.width, p.height, p.fx, p.fy, p.cx, p.cy, R_cam_world, t_cam_world, grey=grey)
    except InputError as error:
        raise InputError(
            error.what, where=where, expected=error.expected, found=error.found, fix=error.fix
        ) from None


def moving_camera(
    camera: Camera,
    frames: Sequence[int],
    R_cam_world: Sequence[Float[np.ndarray, "3 3"]],
    t_cam_world: Sequence[Float[np.ndarray, "3"]],
    where: str,
) -> Camera:
    """The camera on a path with these poses, one a frame.

    Raises:
        InputError: there is none, or one of them is no pose.
    """
    if not frames:
        raise InputError("a camera that moves has no pose", where=where)
    moving = camera.moving(CameraPath(tuple(frames), np.stack(R_cam_world), np.stack(t_cam_world)))
    for frame in frames:
        try:
            moving.at(frame)
        except InputError as error:
            at = f"{where}, frame {frame}"
            raise InputError(error.what, where=at, expected=error.expected, found=error.found) from None
    return moving


def lens_of(told: object, where: str) -> Lens:
    """The lens of `{"model": "opencv" or "fisheye", "coefficients": [...]}`.

    Raises:
        InputError: it is of another form, or no lens that OpenCV knows.
    """
    model = require(told, "model", where)
    if model not in get_args(LensModel):
        raise InputError(
            "a lens is of no known model", where=where, expected=" or ".join(get_args(LensModel)), found=model
        )
    coefficients = require(told, "coefficients", where)
    count = len(coefficients) if isinstance(coefficients, list) else 0
    try:
        return Lens(model, tuple(as_finite(coefficients, (count,), where).tolist()))
    except InputError as error:
        raise InputError(error.what, where=where, expected=error.expected, found=error.found) from None

"""What every calibration file is read into: one camera with its lens, in the file's own unit of length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.lens import Lens
from handrefine.sequence import Camera

#: Tools that follow OpenCV put a pixel's centre at whole numbers, handrefine and COLMAP at one half.
OPENCV_CENTRE_PX = 0.5


@dataclass(frozen=True, eq=False)
class RigCamera:
    """A camera as it was calibrated.

    K: in pixels; the centre of pixel (0, 0) lies at (0.5, 0.5). It may have skew.
    lens: None for a pinhole.
    R_cam_world, t_cam_world: `x_cam = R x_world + t`, OpenCV's axes, t in the calibration's own unit.
    size: (width, height) in pixels of the images that it was calibrated on, where the file says so.
    """

    name: str
    K: Float[np.ndarray, "3 3"]
    R_cam_world: Float[np.ndarray, "3 3"]
    t_cam_world: Float[np.ndarray, "3"]
    lens: Lens | None = None
    size: tuple[int, int] | None = None

    def rays(self, uv_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Normalised coordinates, without distortion, of pixels; NaN where the lens reaches none."""
        (fx, skew, cx), (_, fy, cy) = self.K[0], self.K[1]
        y = (uv_px[..., 1] - cy) / fy
        x = (uv_px[..., 0] - cx - skew * y) / fx
        points = np.stack([x, y], axis=-1)
        return points if self.lens is None else self.lens.undistort(torch.as_tensor(points)).numpy()

    def pixels(self, rays: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """The pixels of normalised coordinates: lens, then K; the inverse of `rays`."""
        points = rays if self.lens is None else self.lens.distort(torch.as_tensor(rays)).numpy()
        return points @ self.K[:2, :2].T + self.K[:2, 2]

    def project(self, points_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """The pixels of world points, NaN behind the camera."""
        points_cam = points_world @ self.R_cam_world.T + self.t_cam_world
        z = points_cam[..., 2:]
        return self.pixels(points_cam[..., :2] / np.where(z > 0, z, np.nan))

    def scaled(self, unit_m: float) -> "RigCamera":
        """The camera in metres, of one whose unit of length is so many metres."""
        return replace(self, t_cam_world=self.t_cam_world * unit_m)

    def pinhole(self, width: int, height: int) -> Camera:
        """The camera of the undistorted image of the same size and focal lengths.

        Raises:
            InputError: the calibration is no camera's.
        """
        K = self.K
        intrinsics = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        return Camera(self.name, width, height, *intrinsics, self.R_cam_world, self.t_cam_world)

    def resized(self, width: int, height: int) -> "RigCamera":
        """The camera of images that are resampled to another size."""
        if self.size is None:
            return replace(self, size=(width, height))
        scale = np.diag([width / self.size[0], height / self.size[1], 1.0])
        return replace(self, K=scale @ self.K, size=(width, height))


def opencv_camera(
    name: str,
    K: object,
    extrinsics: tuple[object, object],
    distortion: object = None,
    *,
    fisheye: bool = False,
    size: tuple[int, int] | None = None,
    where: object = None,
) -> RigCamera:
    """A camera of OpenCV's numbers: pixel centres at whole numbers, R or a rotation vector, R and t as they stand.

    Raises:
        InputError: something has another shape, is not finite, or is no lens that OpenCV knows.
    """
    here = f"{where}, camera {name}"
    R, t = extrinsics
    return RigCamera(
        name,
        _moved(matrix(K, (3, 3), f"{here}: the camera matrix")),
        rotation(R, f"{here}: the rotation"),
        matrix(t, (3,), f"{here}: the translation"),
        lens_of(distortion, fisheye=fisheye, where=f"{here}: the distortion"),
        size,
    )


def _moved(K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    moved = K.copy()
    moved[:2, 2] += OPENCV_CENTRE_PX
    return moved


def lens_of(coefficients: object, *, fisheye: bool = False, where: object = None) -> Lens | None:
    """The lens of OpenCV's coefficients, None of none at all or zeros.

    Raises:
        InputError: OpenCV knows no lens of so many coefficients.
    """
    if coefficients is None:
        return None
    values = np.asarray(coefficients, np.float64).ravel()
    if not values.any() and not fisheye:
        return None
    if not fisheye and 0 < len(values) < 4:
        values = np.pad(values, (0, 4 - len(values)))
    try:
        return Lens("fisheye" if fisheye else "opencv", tuple(values.tolist()))
    except InputError as error:
        raise InputError(error.what, where=where, expected=error.expected, found=error.found) from None


def matrix(values: object, shape: tuple[int, ...], where: object) -> np.ndarray:
    """Finite numbers of that shape; a vector may be nested.

    Raises:
        InputError: they are not.
    """
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("a calibration holds something else than numbers", where=where, found=error) from None
    if len(shape) == 1 and found.size == shape[0]:
        found = found.reshape(shape)
    if found.shape != shape:
        raise InputError(
            "a matrix of the calibration has another shape", where=where, expected=shape, found=found.shape
        )
    if not np.isfinite(found).all():
        raise InputError("a calibration is not finite", where=where)
    return found


def rotation(values: object, where: object) -> Float[np.ndarray, "3 3"]:
    """A rotation matrix, of one or of a rotation vector.

    Raises:
        InputError: it is neither.
    """
    import cv2

    numbers = np.asarray(values, np.float64)
    R = cv2.Rodrigues(numbers.reshape(3, 1))[0] if numbers.size == 3 else matrix(numbers, (3, 3), where)
    return checked_rotation(R, where)


def checked_rotation(R: Float[np.ndarray, "3 3"], where: object) -> Float[np.ndarray, "3 3"]:
    """Raises:
    InputError: it is no rotation; one whose determinant is -1 is called what it is.
    """
    if np.abs(R @ R.T - np.eye(3)).max() > 5e-3:
        raise InputError(
            "a rotation of the calibration is not orthonormal", where=where, found=np.round(R, 4).tolist()
        )
    if np.linalg.det(R) < 0:
        raise InputError(
            "a rotation of the calibration is a mirror image (its determinant is -1)",
            where=where,
            fix="one axis is flipped: negate that row (camera axis) or column (world axis) of R and t",
        )
    u, _, vt = np.linalg.svd(R)
    return u @ vt


def decomposed(P: Float[np.ndarray, "3 4"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K, R and t of a projection matrix `K [R | t]`, K with a positive diagonal and K[2, 2] = 1."""
    P = P * np.sign(np.linalg.det(P[:, :3]))
    flip = np.eye(3)[::-1]
    q, r = np.linalg.qr((flip @ P[:, :3]).T)
    K, R = flip @ r.T @ flip, flip @ q.T
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    return K / K[2, 2], R, np.linalg.solve(K, P[:, 3])


def same_pose(one: RigCamera, other: RigCamera) -> bool:
    """Whether two poses are the same, up to what a bundle adjustment leaves: 0.1 degrees and a thousandth."""
    scale = max(float(np.linalg.norm(one.t_cam_world)), 1e-9)
    return bool(
        np.abs(one.R_cam_world - other.R_cam_world).max() < 2e-3
        and np.linalg.norm(one.t_cam_world - other.t_cam_world) < 2e-3 * scale
    )


def unique_names(cameras: Sequence[RigCamera], where: object) -> list[RigCamera]:
    """Raises:
    InputError: there is no camera, or two have one name.
    """
    names = [camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise InputError(
            "two cameras have the same name" if twice else "the calibration holds no camera",
            where=where,
            found=", ".join(twice) or None,
        )
    return list(cameras)

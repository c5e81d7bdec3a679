"""What every calibration file is read into: one camera with its lens, in the file's own unit of length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from handrefine.camera import Camera, CameraPath
from handrefine.capture.calibration.rotations import as_array, rotation
from handrefine.errors import InputError
from handrefine.lens import Lens

#: Tools that follow OpenCV put a pixel's centre at whole numbers, handrefine and COLMAP at one half.
OPENCV_CENTRE_PX = 0.5


@dataclass(frozen=True, eq=False)
class RigPath:
    """Where a moving camera is, frame by frame.

    frames: by number; empty where the file names none: the images' frames in their order.
    numbers: rotations as the file has them, where they are no matrices: see `RigCamera.numbers`.
    """

    frames: tuple[int, ...]
    R_cam_world: Float[np.ndarray, "frame 3 3"]
    t_cam_world: Float[np.ndarray, "frame 3"]
    numbers: Float[np.ndarray, "frame n"] | None = None

    @classmethod
    def of(cls, cameras: Sequence["RigCamera"], frames: Sequence[int]) -> "RigPath":
        """Of a camera as it stands at every frame."""
        numbers = [camera.numbers for camera in cameras if camera.numbers is not None]
        return cls(
            tuple(frames),
            np.stack([camera.R_cam_world for camera in cameras]),
            np.stack([camera.t_cam_world for camera in cameras]),
            np.stack(numbers) if len(numbers) == len(cameras) else None,
        )


@dataclass(frozen=True, eq=False)
class RigCamera:
    """A camera as it was calibrated.

    K: in pixels; the centre of pixel (0, 0) lies at (0.5, 0.5). It may have skew.
    lens: None for a pinhole.
    R_cam_world, t_cam_world: `x_cam = R x_world + t`, OpenCV's axes, t in the calibration's own unit.
    size: (width, height) in pixels of the images that it was calibrated on, where the file says so.
    path: of a camera that moves; its own pose is then the first.
    numbers: the rotation as the file has it, where it is no matrix: 3 numbers, taken for a rotation vector, or
    4, for
        a quaternion (w, x, y, z).
    """

    name: str
    K: Float[np.ndarray, "3 3"]
    R_cam_world: Float[np.ndarray, "3 3"]
    t_cam_world: Float[np.ndarray, "3"]
    lens: Lens | None = None
    size: tuple[int, int] | None = None
    path: RigPath | None = None
    numbers: Float[np.ndarray, " n"] | None = None

    def moving(self, path: RigPath) -> "RigCamera":
        """This camera on a path."""
        numbers = None if path.numbers is None else path.numbers[0]
        return self.posed(path.R_cam_world[0], path.t_cam_world[0], path=path, numbers=numbers)

    def posed(
        self, R: np.ndarray, t: np.ndarray, *, path: RigPath | None = None, numbers: np.ndarray | None = None
    ) -> "RigCamera":
        """The same camera elsewhere."""
        return replace(self, R_cam_world=R, t_cam_world=t, path=path, numbers=numbers)

    def poses(self, frames: Sequence[int]) -> tuple[Float[np.ndarray, "frame 3 3"], Float[np.ndarray, "frame 3"]]:
        """R and t at the frames; NaN where the path has none."""
        if self.path is None:
            return np.repeat(self.R_cam_world[None], len(frames), 0), np.repeat(
                self.t_cam_world[None], len(frames), 0
            )
        row = {frame: k for k, frame in enumerate(self.path.frames)}
        R, t = np.full((len(frames), 3, 3), np.nan), np.full((len(frames), 3), np.nan)
        for k, frame in enumerate(frames):
            if frame in row:
                R[k], t[k] = self.path.R_cam_world[row[frame]], self.path.t_cam_world[row[frame]]
        return R, t

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

    def project_at(
        self, points_world: Float[np.ndarray, "frame *batch 3"], frames: Sequence[int]
    ) -> Float[np.ndarray, "frame *batch 2"]:
        """The pixels of world points at every frame, NaN behind the camera and where it has no pose."""
        R, t = self.poses(frames)
        flat = points_world.reshape(len(frames), -1, 3)
        cam = flat @ R.swapaxes(1, 2) + t[:, None]
        z = cam[..., 2:]
        return self.pixels(cam[..., :2] / np.where(z > 0, z, np.nan)).reshape(*points_world.shape[:-1], 2)

    def project(self, points_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """The pixels of world points, NaN behind the camera."""
        points_cam = points_world @ self.R_cam_world.T + self.t_cam_world
        z = points_cam[..., 2:]
        return self.pixels(points_cam[..., :2] / np.where(z > 0, z, np.nan))

    def scaled(self, unit_m: float) -> "RigCamera":
        """The camera in metres, of one whose unit of length is so many metres."""
        path = self.path and replace(self.path, t_cam_world=self.path.t_cam_world * unit_m)
        return replace(self, t_cam_world=self.t_cam_world * unit_m, path=path)

    def pinhole(self, width: int, height: int) -> Camera:
        """The camera of the undistorted image of the same size and focal lengths, on its path if it moves.

        Raises:
            InputError: the calibration is no camera's.
        """
        K = self.K
        intrinsics = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        camera = Camera(self.name, width, height, *intrinsics, self.R_cam_world, self.t_cam_world)
        path = self.path
        return (
            camera if path is None else camera.moving(CameraPath(path.frames, path.R_cam_world, path.t_cam_world))
        )

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
    """A camera of OpenCV's numbers: pixel centres at whole numbers, R, a rotation vector or a
    quaternion, R and t as they stand.

    Raises:
        InputError: something has another shape, is not finite, or is no lens that OpenCV knows.
    """
    here = f"{where}, camera {name}"
    R, t = extrinsics
    numbers = np.asarray(R, np.float64).ravel()
    return RigCamera(
        name,
        _moved(matrix(K, (3, 3), f"{here}: the camera matrix")),
        rotation(R, f"{here}: the rotation"),
        matrix(t, (3,), f"{here}: the translation"),
        lens_of(distortion, fisheye=fisheye, where=f"{here}: the distortion"),
        size,
        numbers=numbers if numbers.size in (3, 4) else None,
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
    """Finite numbers of that shape; a vector may be nested, and a matrix written in one row.

    Raises:
        InputError: they are not.
    """
    found = as_array(values, where)
    if found.size == np.prod(shape) and 1 in (len(shape), *found.shape, found.ndim):
        found = found.reshape(shape)
    if found.shape != shape:
        raise InputError(
            "a matrix of the calibration has another shape", where=where, expected=shape, found=found.shape
        )
    if not np.isfinite(found).all():
        raise InputError("a calibration is not finite", where=where)
    return found


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

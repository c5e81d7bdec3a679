"""A calibrated camera.

Metres and radians. Cameras follow OpenCV: x right, y down, z forward;
`x_cam = R_cam_world @ x_world + t_cam_world`; the centre of pixel (0, 0) lies at (0.5, 0.5).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.lens import Lens


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Where a moving camera is at some frames, by the dataset's numbers, ascending."""

    frames: tuple[int, ...]
    R_cam_world: Float[np.ndarray, "frame 3 3"]
    t_cam_world: Float[np.ndarray, "frame 3"]

    def row(self, frame: int) -> int:
        """The frame's row; where it has none, and hence no picture either, the nearest one's."""
        return int(np.abs(np.array(self.frames) - frame).argmin())


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera with its own image size; a crop window of a camera is again a camera.

    `grey` says that its images carry luminance only. Where there is a `lens`, images are distorted as it says; all
    else is that of a pinhole. Where there is a `path` the camera moves: `at` gives it as it sees a frame, and its
    own pose is that of the first.
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    R_cam_world: Float[np.ndarray, "3 3"]
    t_cam_world: Float[np.ndarray, "3"]
    grey: bool = False
    lens: Lens | None = None
    path: CameraPath | None = None

    def __post_init__(self) -> None:
        numbers = np.concatenate([self.R_cam_world.ravel(), self.t_cam_world, self.intrinsics])
        if not np.isfinite(numbers).all():
            raise InputError("a camera's calibration is not finite", where=f"camera {self.name}")
        if self.width <= 0 or self.height <= 0 or self.fx <= 0 or self.fy <= 0:
            raise InputError(
                "a camera needs a positive image size and focal length",
                where=f"camera {self.name}",
                found=f"{self.width}x{self.height} px, fx={self.fx}, fy={self.fy}",
            )
        R = self.R_cam_world
        if (off := float(np.abs(R @ R.T - np.eye(3)).max())) > 1e-3 or np.linalg.det(R) < 0:
            mirrors = np.linalg.det(R) < 0
            raise InputError(
                "a camera's rotation is not a rotation matrix",
                where=f"camera {self.name}",
                expected="orthonormal to 0.001, determinant 1",
                found=f"{off:.2g} from orthonormal, determinant {np.linalg.det(R):.4g}",
                fix="it mirrors: the sign of one axis is wrong" if mirrors else "give more digits",
            )

    @property
    def intrinsics(self) -> Float[np.ndarray, "4"]:
        """(fx, fy, cx, cy) in pixels."""
        return np.array([self.fx, self.fy, self.cx, self.cy])

    @property
    def center_world(self) -> Float[np.ndarray, "3"]:
        return -self.R_cam_world.T @ self.t_cam_world

    def at(self, frame: int) -> "Camera":
        """The camera as it stands at a frame, by the dataset's number: itself unless it moves."""
        if self.path is None:
            return self
        k = self.path.row(frame)
        return replace(self, R_cam_world=self.path.R_cam_world[k], t_cam_world=self.path.t_cam_world[k], path=None)

    def moving(self, path: CameraPath) -> "Camera":
        """This camera on a path."""
        return replace(self, R_cam_world=path.R_cam_world[0], t_cam_world=path.t_cam_world[0], path=path)

    def turned(self, turn: Float[np.ndarray, "3 3"]) -> "Camera":
        """Turned about its own centre, at all frames alike: `x_cam' = turn x_cam`."""
        turned = replace(self, R_cam_world=turn @ self.R_cam_world, t_cam_world=turn @ self.t_cam_world)
        if self.path is None:
            return turned
        R, t = turn @ self.path.R_cam_world, self.path.t_cam_world @ turn.T
        return replace(turned, path=replace(self.path, R_cam_world=R, t_cam_world=t))

    def to_camera(self, points_world: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        R = torch.as_tensor(self.R_cam_world, dtype=points_world.dtype, device=points_world.device)
        t = torch.as_tensor(self.t_cam_world, dtype=points_world.dtype, device=points_world.device)
        return points_world @ R.T + t

    def from_camera(self, points_cam: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """The inverse of `to_camera`."""
        R = torch.as_tensor(self.R_cam_world, dtype=points_cam.dtype, device=points_cam.device)
        t = torch.as_tensor(self.t_cam_world, dtype=points_cam.dtype, device=points_cam.device)
        return (points_cam - t) @ R

    def project(self, points_world: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 2"]:
        """Pixel coordinates of world points, through the lens; differentiable. Points at or behind the camera, or
        beyond what its lens reaches, give NaN and take no gradient."""
        points_cam = self.to_camera(points_world)
        z = points_cam[..., 2:]
        in_front = z > 1e-6
        # Divide by 1 where the result is thrown away: NaN times a zero gradient would be NaN.
        normalised = points_cam[..., :2] / torch.where(in_front, z, 1.0)
        seen = in_front
        if self.lens is not None:
            seen = in_front & self.lens.sees(normalised.detach())[..., None]
            normalised = self.lens.distort(torch.where(seen, normalised, 0.0))
        f, c = points_world.new_tensor([self.fx, self.fy]), points_world.new_tensor([self.cx, self.cy])
        return torch.where(seen, normalised * f + c, torch.nan)

    def on_plane(self, uv_px: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Where the rays of pixel positions meet the plane z = 1 before the camera; NaN where the lens reaches no
        such pixel. Not differentiable where there is a lens."""
        points = (uv_px - uv_px.new_tensor([self.cx, self.cy])) / uv_px.new_tensor([self.fx, self.fy])
        return points if self.lens is None else self.lens.undistort(points)

    def pixels(self, points_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """`project` of an array."""
        return self.project(torch.as_tensor(points_world)).numpy()

    def plane_points(self, uv_px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """`on_plane` of an array."""
        return self.on_plane(torch.as_tensor(uv_px)).numpy()

    def cropped(self, x0_px: int, y0_px: int, width: int, height: int) -> "Camera":
        """The camera whose image is the window with the given upper left corner; it may leave the image."""
        return replace(self, width=width, height=height, cx=self.cx - x0_px, cy=self.cy - y0_px)

    def resized(self, width: int, height: int) -> "Camera":
        """The camera whose image is this one's resampled to a new size (pixels may become non-square)."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy
        )

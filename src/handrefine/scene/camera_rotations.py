"""Small rotations of cameras and scales of their pictures, as homographies of their renders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrefine.lens import inverse_2x2
from handrefine.observations import Observations
from handrefine.scene.scene_module import RenderedViews, SceneModule
from handrefine.sequence import Camera

#: Log scale of a picture that the unit of its unknown is: a hand is a fifth of its distance across, so that equal
#: steps of all unknowns move its points alike.
LOG_SCALE = 5.0


class CameraRotations(SceneModule):
    """One small rotation a camera about its own centre, and one scale of its pictures about the hands.

    They start at none, and never stand for what a hand can do.

    A picture of a camera that is turned by R is the picture of the unturned one, resampled: `u' ~ K R K^-1 u`
    holds for every depth. So the render, made with the given calibration, is resampled before it is compared. At a
    hand's distance a translation of the camera across its view is all but the same (1 mm at 1 m is 1 mrad); one
    along its view, like a wrong focal length, scales the picture.

    The gauge: a motion of the hand by t turns camera c by `(p x t) / |p|^2` and scales its picture by
    `1 - n . t / |p|`, with p the way from the camera to the hand and n = p / |p|; a turn of the hand by w rolls it
    by `n (n . w)`; a larger hand scales all pictures alike. The free numbers are projected onto what is orthogonal
    to all of these. Of one camera nothing is left, of two cameras two numbers. A camera that moves has one
    rotation and one scale all the same, in its own frame; in the gauge it stands where it stands first.

    Args:
        cameras: in the order that the views' camera indices count.
        hand_world: where the hands are, metres; only their direction from the cameras and their distance matter.
    """

    variable = "calibration"
    free: Float[Tensor, "camera 4"]
    _projector: Tensor
    _world_from_cam: Tensor
    _centre: Tensor

    def __init__(self, cameras: Sequence[Camera], hand_world: Float[np.ndarray, "3"]) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.zeros(len(cameras), 4))
        self._hand_world = hand_world
        self._planes: dict[Camera, ImagePlane] = {}
        to_hand = hand_world - np.stack([camera.center_world for camera in cameras])
        self.register_buffer("_projector", torch.tensor(_projector(to_hand), dtype=torch.float32))
        self.register_buffer("_world_from_cam", _axes(cameras))
        self.register_buffer("_centre", _directions(cameras, hand_world))

    @torch.no_grad()
    def recalibrate(self, cameras: Sequence[Camera]) -> None:
        """Go on from other calibrations; a camera whose axes have changed starts at none again."""
        axes = _axes(cameras).to(self._world_from_cam)
        changed = (axes - self._world_from_cam).abs().amax(dim=(1, 2)) > 0
        self._world_from_cam.copy_(axes)
        self._centre.copy_(_directions(cameras, self._hand_world))
        self.free[changed] = 0.0

    def _gauged(self) -> Float[Tensor, "camera 4"]:
        return (self._projector @ self.free.flatten()).reshape(-1, 4)

    def rotations_world(self) -> Float[Tensor, "camera 3"]:
        """Rotation vectors in the world frame, radians; differentiable."""
        return self._gauged()[:, :3]

    def rotations_cam(self) -> Float[Tensor, "camera 3"]:
        """The same in every camera's own frame: about its x axis (pictures move along y), its y axis, its view."""
        return torch.einsum("cji,cj->ci", self._world_from_cam, self.rotations_world())

    def scales(self) -> Float[Tensor, " camera"]:
        """By how much every camera's picture is enlarged about the hands; differentiable."""
        return (LOG_SCALE * self._gauged()[:, 3]).exp()

    @torch.no_grad()
    def turned(self, cameras: Mapping[str, Camera]) -> dict[str, Camera]:
        """The cameras with their rotations and scales; they are given in the order of these."""
        turns = roma.rotvec_to_rotmat(self.rotations_cam().double()).cpu().numpy()
        values = zip(cameras.items(), turns, self.scales().tolist(), self._centre.tolist(), strict=True)
        return {name: _turned(camera, turn, scale, centre) for (name, camera), turn, scale, centre in values}

    def adjust(self, views: RenderedViews, observations: Observations) -> RenderedViews:
        view_set = observations.views
        renders = view_set.split(torch.cat([views.hand_rgb, views.by_hand], dim=1))
        first_pixel = torch.from_numpy(view_set.offsets).to(views.by_hand.device)
        camera_of_view = observations.camera_of_pixel[first_pixel]
        turned = view_set.flatten(self.resample(renders, [v.camera for v in view_set.views], camera_of_view))
        return RenderedViews(turned[:, :3], turned[:, 3:])

    @torch.no_grad()
    def sources(self, observations: Observations) -> Int[Tensor, " pixel"]:
        """Of every pixel of the turned cameras' pictures the unturned ones' pixel that it shows; -1: none."""
        view_set, device = observations.views, observations.image.device
        marks = []
        for view in view_set.views:
            height, width = view.camera.height, view.camera.width
            y, x = torch.meshgrid(
                torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
            )
            marks.append(torch.stack([x, y, torch.ones_like(x)], dim=-1).float().flatten(0, 1))
        moved = self.adjust(RenderedViews(torch.cat(marks), torch.zeros(len(observations.image), 1)), observations)
        x, y, inside = moved.hand_rgb.round().long().unbind(dim=1)
        view = view_set.view_of_pixel(device)
        width = torch.tensor([v.camera.width for v in view_set.views], device=device)[view]
        first = torch.from_numpy(view_set.offsets).to(device)[view]
        return torch.where(inside > 0, first + y * width + x, -1)

    def resample(
        self,
        pictures: Sequence[Float[Tensor, "_h _w channel"]],
        cameras: Sequence[Camera],
        camera_of_view: Int[Tensor, " view"],
    ) -> list[Tensor]:
        """Pictures as the turned cameras show them; bilinear, black beyond the border.

        Differentiable in the rotations and the pictures.

        Args:
            cameras: the camera of every picture, crop windows with their own calibration.
        """
        turned = roma.rotvec_to_rotmat(self.rotations_cam())[camera_of_view]
        scales, centres = self.scales()[camera_of_view], self._centre[camera_of_view]
        planes = [self._plane(camera).like(turned) for camera in cameras]
        return [_warped(*of) for of in zip(pictures, planes, turned, scales, centres, strict=True)]

    def _plane(self, camera: Camera) -> "ImagePlane":
        """Made once a camera: through a lens it is costly."""
        if camera not in self._planes:
            self._planes[camera] = ImagePlane.of(camera)
        return self._planes[camera]


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """The pixels of a camera on the plane at distance 1.

    points: where they lie as the image shows them.
    rays: where a pinhole would show them; None without a lens.
    slopes: derivative of `rays` by `points`; None without a lens.
    """

    camera: Camera
    points: Float[Tensor, "h w 2"]
    rays: Float[Tensor, "h w 2"] | None = None
    slopes: Float[Tensor, "h w 2 2"] | None = None

    @staticmethod
    def of(camera: Camera) -> "ImagePlane":
        v, u = torch.meshgrid(torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij")
        points = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], dim=-1)
        if camera.lens is None:
            return ImagePlane(camera, points)
        rays = camera.lens.undistort(points.double())
        rays = torch.where(rays.isnan(), 1e3, rays)  # far outside: black
        return ImagePlane(camera, points, rays, inverse_2x2(camera.lens.jacobian(rays)))

    def like(self, values: Tensor) -> "ImagePlane":
        """With the dtype and device of other numbers."""
        made = (None if x is None else x.to(values) for x in (self.points, self.rays, self.slopes))
        return ImagePlane(self.camera, *made)  # pyright: ignore[reportArgumentType]

    def without_lens(self, points: Float[Tensor, "h w 2"]) -> Float[Tensor, "h w 2"]:
        """Where a pinhole shows what the image shows at points close to its own: to first order, for the turns and
        scales here move them by a hundredth."""
        if self.rays is None or self.slopes is None:
            return points
        return self.rays + torch.einsum("hwij,hwj->hwi", self.slopes, points - self.points)

    def with_lens(self, x: Float[Tensor, "h w"], y: Float[Tensor, "h w"]) -> tuple[Tensor, Tensor]:
        """The inverse."""
        if self.camera.lens is None:
            return x, y
        bent = self.camera.lens.distort(torch.stack([x, y], dim=-1))
        return bent[..., 0], bent[..., 1]


def _turned(camera: Camera, turn: np.ndarray, scale: float, centre: Sequence[float]) -> Camera:
    cx, cy = camera.cx + (1 - scale) * camera.fx * centre[0], camera.cy + (1 - scale) * camera.fy * centre[1]
    return replace(camera.turned(turn), fx=scale * camera.fx, fy=scale * camera.fy, cx=cx, cy=cy)


def _warped(
    picture: Float[Tensor, "h w channel"],
    plane: ImagePlane,
    R: Float[Tensor, "3 3"],
    scale: Float[Tensor, ""],
    centre: Float[Tensor, "2"],
) -> Tensor:
    """The picture of the turned and scaled camera: its pixel u shows `c + (u - c) / scale` of the turned one, and
    that one's pixel looks along `R^T K^-1 u` of the given one; c lies at `centre` times the focal length."""
    height, width = picture.shape[:2]
    camera = plane.camera
    on_plane = plane.without_lens(centre.to(R.dtype) + (plane.points - centre.to(R.dtype)) / scale)
    x, y, z = (torch.cat([on_plane, torch.ones_like(on_plane[..., :1])], dim=-1) @ R).unbind(dim=-1)  # R^T ray
    x, y = plane.with_lens(x / z, y / z)
    source = torch.stack(
        [(camera.fx * x + camera.cx) / width * 2 - 1, (camera.fy * y + camera.cy) / height * 2 - 1], dim=-1
    )
    channels_first = picture.permute(2, 0, 1)[None]
    warped = nn.functional.grid_sample(
        channels_first, source[None].to(picture.dtype), padding_mode="zeros", align_corners=False
    )
    return warped[0].permute(1, 2, 0)


def _axes(cameras: Sequence[Camera]) -> Float[Tensor, "camera 3 3"]:
    """The cameras' own axes in the world frame, as columns."""
    return torch.tensor(np.stack([camera.R_cam_world.T for camera in cameras]), dtype=torch.float32)


def _directions(cameras: Sequence[Camera], hand_world: Float[np.ndarray, "3"]) -> Float[Tensor, "camera 2"]:
    """Where every camera shows a point on its plane at distance 1; the axis for one behind the camera."""
    points = np.stack([camera.R_cam_world @ hand_world + camera.t_cam_world for camera in cameras])
    in_front = points[:, 2:] > 0
    places = torch.tensor(np.where(in_front, points[:, :2] / np.where(in_front, points[:, 2:], 1.0), 0.0))
    bent = [place if c.lens is None else c.lens.distort(place) for c, place in zip(cameras, places, strict=True)]
    return torch.stack(bent).float()


def _projector(to_hand: Float[np.ndarray, "camera 3"]) -> np.ndarray:
    """The orthogonal projector of all cameras' numbers, one camera after the other, that takes out what a hand's
    motions and size explain."""
    distance = np.linalg.norm(to_hand, axis=1)
    directions = to_hand / distance[:, None]
    nearer = (distance.mean() / distance)[:, None, None]
    cross = np.zeros((len(to_hand), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = directions, -directions
    explained = np.zeros((len(to_hand), 4, 7))
    explained[:, :3, :3] = cross * nearer
    explained[:, 3:, :3] = -directions[:, None, :] * nearer / LOG_SCALE
    explained[:, :3, 3:6] = directions[:, :, None] * directions[:, None, :]
    explained[:, 3, 6] = 1.0
    basis, size, _ = np.linalg.svd(explained.reshape(-1, 7), full_matrices=False)
    basis = basis[:, size > 1e-9 * size.max()]
    return np.eye(len(basis)) - basis @ basis.T

"""Small rotations of cameras, as homographies of their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrefine.observations import Observations
from handrefine.scene.scene_module import RenderedViews, SceneModule
from handrefine.sequence import Camera


class CameraRotations(SceneModule):
    """One small rotation a camera about its own centre, starting at none, and never one that moves the hand.

    A picture of a camera that is turned by R is the picture of the unturned one, resampled: `u' ~ K R K^-1 u`
    holds for every depth. So the render, made with the given calibration, is resampled before it is compared. At a
    hand's distance a translation of the camera across its view is all but the same (1 mm at 1 m is 1 mrad).

    The gauge: a motion of the hand by t turns camera c by `(p x t) / |p|^2`, with p the way from the camera to the
    hand, and a turn of the hand by w rolls it by `n (n . w)`, with n = p / |p|. The free rotations are projected
    onto what is orthogonal to all such motions, so that no camera rotation can stand for a motion of the hand.
    Of two cameras one number is left, by how much their rays to one point miss each other; of one, nothing.

    Args:
        cameras: in the order that the views' camera indices count.
        hand_world: where the hand is, metres; only its direction from the cameras and its distance matter.
    """

    variable = "calibration"
    free: Float[Tensor, "camera 3"]
    _projector: Tensor
    _world_from_cam: Tensor

    def __init__(self, cameras: Sequence[Camera], hand_world: Float[np.ndarray, "3"]) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.zeros(len(cameras), 3))
        to_hand = hand_world - np.stack([camera.center_world for camera in cameras])
        self.register_buffer("_projector", torch.tensor(_projector(to_hand), dtype=torch.float32))
        rotations = np.stack([camera.R_cam_world.T for camera in cameras])
        self.register_buffer("_world_from_cam", torch.tensor(rotations, dtype=torch.float32))

    @torch.no_grad()
    def recalibrate(self, cameras: Sequence[Camera]) -> None:
        """Go on from other calibrations; a camera whose axes have changed starts at no rotation again."""
        axes = torch.tensor(np.stack([camera.R_cam_world.T for camera in cameras])).to(self._world_from_cam)
        changed = (axes - self._world_from_cam).abs().amax(dim=(1, 2)) > 0
        self._world_from_cam.copy_(axes)
        self.free[changed] = 0.0

    def rotations_world(self) -> Float[Tensor, "camera 3"]:
        """Rotation vectors in the world frame, radians; differentiable."""
        return (self._projector @ self.free.flatten()).reshape(-1, 3)

    def rotations_cam(self) -> Float[Tensor, "camera 3"]:
        """The same in every camera's own frame: about its x axis (pictures move along y), its y axis, its view."""
        return torch.einsum("cji,cj->ci", self._world_from_cam, self.rotations_world())

    @torch.no_grad()
    def turned(self, cameras: Mapping[str, Camera]) -> dict[str, Camera]:
        """The cameras with their rotations; they are given in the order of the rotations."""
        turns = roma.rotvec_to_rotmat(self.rotations_cam().double()).cpu().numpy()
        return {
            name: replace(of, R_cam_world=turn @ of.R_cam_world, t_cam_world=turn @ of.t_cam_world)
            for (name, of), turn in zip(cameras.items(), turns, strict=True)
        }

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
        return [_warped(p, camera, R) for p, camera, R in zip(pictures, cameras, turned, strict=True)]


def _warped(picture: Float[Tensor, "h w channel"], camera: Camera, R: Float[Tensor, "3 3"]) -> Tensor:
    """The picture of the turned camera: its pixel u looks along `R^T K^-1 u` of the unturned one."""
    height, width = picture.shape[:2]
    v, u = torch.meshgrid(
        torch.arange(height, device=picture.device) + 0.5,
        torch.arange(width, device=picture.device) + 0.5,
        indexing="ij",
    )
    rays = torch.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)], dim=-1)
    x, y, z = (rays.to(R.dtype) @ R).unbind(dim=-1)  # R^T ray
    source = torch.stack(
        [(camera.fx * x / z + camera.cx) / width * 2 - 1, (camera.fy * y / z + camera.cy) / height * 2 - 1], dim=-1
    )
    channels_first = picture.permute(2, 0, 1)[None]
    warped = nn.functional.grid_sample(
        channels_first, source[None].to(picture.dtype), padding_mode="zeros", align_corners=False
    )
    return warped[0].permute(1, 2, 0)


def _projector(to_hand: Float[np.ndarray, "camera 3"]) -> np.ndarray:
    """The orthogonal projector of all rotations, one after the other, that takes out the hand's own motions."""
    distance = np.linalg.norm(to_hand, axis=1)
    directions = to_hand / distance[:, None]
    cross = np.zeros((len(to_hand), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = directions, -directions
    by_translation = cross * (distance.mean() / distance)[:, None, None]
    by_rotation = directions[:, :, None] * directions[:, None, :]
    explained = np.concatenate([by_translation, by_rotation], axis=2).reshape(-1, 6)
    basis, size, _ = np.linalg.svd(explained, full_matrices=False)
    basis = basis[:, size > 1e-9 * size.max()]
    return np.eye(len(basis)) - basis @ basis.T

"""Giving every frame its own cell of a 3D grid, so that the hands of all frames stand in one scene."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

#: Free space between the spheres of neighbouring cells, as a share of their diameter.
GAP = 0.1


@dataclass(frozen=True, eq=False)
class Cells:
    """Spheres that hold one frame each and do not touch.

    A ray of a frame is cut where it leaves that frame's sphere, so no ray ever sees another frame.

    centers_world: middle of the hands of a frame, in the world.
    centers_scene: where that point stands in the shared scene.
    radius_m: of all spheres alike.
    """

    centers_world: Float[Tensor, "frame 3"]
    centers_scene: Float[Tensor, "frame 3"]
    radius_m: Float[Tensor, ""]

    def to_scene(self, verts_world: Float[Tensor, "frame vertex 3"]) -> Float[Tensor, "frame vertex 3"]:
        return verts_world + (self.centers_scene - self.centers_world)[:, None]


def arrange(verts_world: Float[Tensor, "frame vertex 3"]) -> Cells:
    """Cells as small as the hands allow: the nearer they are to the origin, the finer float32 is there."""
    with torch.no_grad():
        low, high = verts_world.amin(dim=1), verts_world.amax(dim=1)
        centers = (low + high) / 2
        radius = (verts_world - centers[:, None]).norm(dim=-1).amax() * 1.01 + 1e-6
        grid = torch.as_tensor(_grid(len(verts_world)), dtype=verts_world.dtype, device=verts_world.device)
        return Cells(centers, grid * (radius * (2 + 2 * GAP)), radius)


def _grid(count: int) -> np.ndarray:
    """The first `count` points of an integer grid, as cubic as possible and around the origin."""
    side = max(1, math.ceil(count ** (1 / 3) - 1e-9))
    index = np.arange(count)
    points = np.stack([index % side, index // side % side, index // side**2], axis=-1)
    return points - (side - 1) / 2

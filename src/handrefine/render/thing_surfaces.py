"""Things beside the hands as a renderer sees them: opaque triangles of one colour that nothing moves."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrefine.mesh import MeshTopology


@dataclass(frozen=True, eq=False)
class ThingSurfaces:
    """All things at F frames. They keep light from the hands and send some of it on, but stand in no camera's way:
    the pixels that they hide are unknown, and a hand that is not yet in its place must not be lost behind one.

    corners_world: of their triangles, metres; NaN where a thing is not there.
    welded: the same triangles over corners of which every place has one, three times a triangle's number and on.
    reflectance: linear RGB, of all of them.
    """

    corners_world: Float[Tensor, "frame face 3 3"]
    welded: Int[np.ndarray, "face 3"]
    reflectance: Float[Tensor, "3"]

    @property
    def soup(self) -> MeshTopology:
        """Triangles that share no corners, hence flat ones, and one texel."""
        return self._over(np.arange(self.welded.size).reshape(-1, 3))

    @property
    def edges(self) -> MeshTopology:
        """The same triangles as neighbours of one another."""
        return self._over(self.welded)

    def _over(self, faces: Int[np.ndarray, "face 3"]) -> MeshTopology:
        return MeshTopology(self.welded.size, faces, np.zeros((1, 2)), np.zeros_like(faces))

    def beside(self, verts_world: Float[Tensor, "frame vertex 3"]) -> Float[Tensor, "frame corner 3"]:
        """Corners beside the hands' vertices. Things that are not there are a point inside the hands, which no ray
        meets."""
        middle = verts_world.detach().mean(dim=1, keepdim=True)
        corners = self.corners_world.to(verts_world).flatten(1, 2)
        return torch.where(torch.isfinite(corners), corners, middle)

    def texture(self, like: Tensor) -> Float[Tensor, "1 1 1 3"]:
        return self.reflectance.to(like).reshape(1, 1, 1, 3)


def welded(corners: Float[np.ndarray, "face 3 3"]) -> Int[np.ndarray, "face 3"]:
    """For every corner the first one in the same place."""
    _, first, inverse = np.unique(corners.reshape(-1, 3), axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()].reshape(-1, 3)

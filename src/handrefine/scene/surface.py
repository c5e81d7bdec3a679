"""The person's own surface: a smooth displacement of the hand model's skin along its normals."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import ConfigDict, NonNegativeInt
from pydantic import dataclasses as typed
from scipy import sparse
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

from handrefine.hand.model import HandGeometry, HandModel
from handrefine.mesh import vertex_normals

#: Modes whose eigenvalue is this mode's cost twice as much as the smoothest.
STIFF_FROM = 40


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SurfaceConfig:
    """The person's own surface, beside what the hand model's shapes can say."""

    modes: NonNegativeInt = 0
    """Smooth modes of displacement along the skin's normals; 0 leaves the surface the model's. 60 serve a hand."""
    person: Path | None = None
    """`person.npz` of another video of the same person: a surface is taken as it was found there and held; shape
    and texture begin there."""


class PersonalSurface(nn.Module):
    """`d = B c`, metres along every vertex's normal: one field for all frames and poses.

    The columns of B are the lowest eigenfunctions of the flat hand's Laplace-Beltrami operator (cotangent weights;
    Levy, "Laplace-Beltrami Eigenfunctions", 2006), each of root mean square 1 over the surface, so that |c| is the
    root mean square displacement. Silhouettes tell motions along the normal only, and a field along normals means
    the same for a hand and its mirror image.

    Args:
        modes: how many eigenfunctions.
        known_m: the coefficients, where they are known and not to be found.

    Attributes:
        held: they are known, and no variable.
    """

    coefficients: nn.Parameter
    basis: Float[Tensor, "vertex mode"]
    stiffness: Float[Tensor, " mode"]

    def __init__(self, hand: HandModel, modes: int, known_m: Float[np.ndarray, " mode"] | None = None) -> None:
        super().__init__()
        self.held = known_m is not None
        flat = hand(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3), flat_hand_mean=True)
        verts = flat.verts_world[0].double().numpy()
        eigenvalues, basis = mesh_harmonics(verts, np.asarray(hand.topology.faces), modes)
        stiff = eigenvalues[min(STIFF_FROM, modes - 1)]
        self.register_buffer("basis", torch.tensor(basis, dtype=torch.float32))
        self.register_buffer("stiffness", torch.tensor(1 + (eigenvalues / stiff) ** 2, dtype=torch.float32))
        start = torch.zeros(modes) if known_m is None else torch.tensor(known_m, dtype=torch.float32)
        self.coefficients = nn.Parameter(start)
        self._topology = hand.topology

    def displacement_m(self) -> Float[Tensor, " vertex"]:
        """Of every vertex along its normal, outwards positive; differentiable in the coefficients."""
        return self.basis @ self.coefficients

    def forward(self, geometry: HandGeometry) -> HandGeometry:
        """The hand with this person's surface; joints stay where the model has them."""
        normals = vertex_normals(geometry.verts_world, self._topology)
        return HandGeometry(geometry.verts_world + self.displacement_m()[:, None] * normals, geometry.joints_world)


def mesh_harmonics(
    verts: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], count: int
) -> tuple[Float[np.ndarray, " mode"], Float[np.ndarray, "vertex mode"]]:
    """The lowest eigenvalues (1 / m^2) and eigenfunctions, whose root mean square over the surface is 1.

    `L f = lambda M f` with cotangent weights L and the vertices' areas M (Pinkall and Polthier 1993). The signs
    make the largest entry of each function positive, so that one mesh has one basis.
    """
    n = len(verts)
    weights, area = sparse.csr_matrix((n, n)), np.zeros(n)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        u, w = verts[faces[:, b]] - verts[faces[:, a]], verts[faces[:, c]] - verts[faces[:, a]]
        doubled = np.linalg.norm(np.cross(u, w), axis=1)
        cotangent = (u * w).sum(axis=1) / np.maximum(doubled, 1e-12) / 2
        own = sparse.coo_matrix((cotangent, (faces[:, b], faces[:, c])), shape=(n, n)).tocsr()
        weights = weights + own + own.T
        np.add.at(area, faces[:, a], doubled / 6)
    mass = sparse.diags(area)
    laplacian = sparse.diags(np.asarray(weights.sum(axis=1)).ravel()) - weights
    start = np.linspace(-1.0, 1.0, n)  # the same basis in every run
    values, functions = eigsh(laplacian.tocsc(), k=count, M=mass.tocsc(), sigma=-1.0, v0=start)
    functions = functions * np.sqrt(area.sum())
    largest = np.abs(functions).argmax(axis=0)
    return values, functions * np.sign(functions[largest, np.arange(count)])

"""How far the vertices move when pose and shape change a little: the natural length of an optimiser's step."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.refine.model import HandVideoModel

#: Columns of an instant's variables: rotation, translation, articulation; and the betas of the one shape.
SLICES = {"rotation": slice(0, 3), "translation": slice(3, 6), "articulation": slice(6, 51)}
N_POSE, N_SHAPE = 51, 10
#: Change by which vertices are differenced, radians, metres and betas alike; exact to 1e-3 in single precision.
DIFFERENCE = 1e-3


@dataclass(frozen=True, eq=False)
class Motion:
    """A change of all geometric variables, or a gradient with respect to them."""

    pose: Float[Tensor, "frame 51"]
    shape: Float[Tensor, "10"]

    def scaled(self, factor: float) -> "Motion":
        return Motion(self.pose * factor, self.shape * factor)


@dataclass(frozen=True, eq=False)
class VertexMetric:
    """The quadratic form `G` for which `d^T G d` is the mean squared vertex motion of a small change d, in m^2.

    `G = J^T J / (V F)` with J the Jacobian of all vertices of all instants: blocks of the instants, coupled by the
    shape alone.
    """

    blocks: Float[Tensor, "frame 51 51"]
    coupling: Float[Tensor, "frame 51 10"]
    shape: Float[Tensor, "10 10"]

    def motion_m(self, change: Motion) -> float:
        """Root mean square motion of the vertices in metres."""
        pose = torch.einsum("fi,fij,fj->", change.pose, self.blocks, change.pose)
        mixed = torch.einsum("fi,fij,j->", change.pose, self.coupling, change.shape)
        return float((pose + 2 * mixed + change.shape @ self.shape @ change.shape).clamp(min=0).sqrt())

    def solve(self, gradient: Motion, damping: Motion) -> Motion:
        """`(G + diag(damping))^-1 gradient`, the instants eliminated first (Schur complement)."""
        blocks = self.blocks + torch.diag_embed(damping.pose)
        factor = torch.linalg.cholesky(blocks)
        coupling = torch.cholesky_solve(self.coupling, factor)
        pose = torch.cholesky_solve(gradient.pose[..., None], factor)[..., 0]
        reduced = self.shape + torch.diag(damping.shape) - torch.einsum("fij,fik->jk", self.coupling, coupling)
        right = gradient.shape - torch.einsum("fij,fi->j", self.coupling, pose)
        shape = torch.linalg.solve(reduced, right)
        return Motion(pose - torch.einsum("fij,j->fi", coupling, shape), shape)


@torch.no_grad()
def measure_metric(model: HandVideoModel) -> VertexMetric:
    """The metric at the model's pose, in double precision, by differences of the hand model alone."""
    here = model.geometry().verts_world
    columns = []
    for name, width in (("rotation", 3), ("translation", 3), ("articulation", 45), ("shape", 10)):
        parameter = getattr(model.pose, name)
        for k in range(width):
            parameter[..., k] += DIFFERENCE
            columns.append(((model.geometry().verts_world - here) / DIFFERENCE).flatten(1))
            parameter[..., k] -= DIFFERENCE
    jacobian = torch.stack(columns, dim=2).double()
    gram = jacobian.mT @ jacobian / (here.shape[0] * here.shape[1])
    return VertexMetric(gram[:, :N_POSE, :N_POSE], gram[:, :N_POSE, N_POSE:], gram[:, N_POSE:, N_POSE:].sum(dim=0))

"""The linear system of a Gauss-Newton step: blocks of the frames, the shape they share, a texture that follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.optimizers.vertex_metric import Motion, VertexMetric

#: Conjugate gradients end at this share of the first residual, or after so many iterations.
TOLERANCE, MOST_ITERATIONS = 1e-3, 60


@dataclass(frozen=True, eq=False)
class Absorbed:
    """What one hand's texture, which follows its skin, takes away from the normal equations: `K^T K`.

    frames: the hand's among those of the system. own: K's columns of their variables. shared: those of the shape,
        summed over frames.
    """

    frames: slice
    own: Float[Tensor, "frame row own"]
    shared: Float[Tensor, "row shared"]

    def times(self, x: Motion) -> Motion:
        """`K^T K x`."""
        here, dtype = x.own[self.frames], self.own.dtype
        rows = torch.einsum("frn,fn->r", self.own, here.to(dtype)) + self.shared @ x.shared.to(dtype)
        own = torch.zeros_like(x.own)
        own[self.frames] = torch.einsum("frn,r->fn", self.own, rows).to(here)
        return Motion(own, (self.shared.T @ rows).to(x.shared))


def slipping(
    jacobian: Float[Tensor, "frame coordinate variable"],
    skin: Float[Tensor, "frame vertex 3 3"],
    axes: Float[Tensor, "frame vertex 3 3"],
    share: float,
    *,
    alone: bool,
) -> Float[Tensor, "frame row variable"]:
    """K of a texture that may slip along the skin, by s_v in vertex v's tangent plane at all frames alike.

    A texture that is best for the pose (variable projection; Golub and Pereyra 1973) follows any motion that all
    frames make alike. With `S_f = R_f^T A^skin R_f` in the vertex's own axes R_f, and E the first two of them,
    minimizing `sum_f |R_f^T J_f d - E s|^2_S` over s takes away `K^T K`, `K = L^-1 sum_f E^T S_f R_f^T J_f`,
    `L L^T = sum_f E^T S_f E`.

    Args:
        skin: A^skin of every vertex and frame. axes: columns tangent, bitangent, normal.
        share: how much of it is taken away.
        alone: every frame has a texture of its own.
    """
    n_frames, _, n = jacobian.shape
    along = axes[..., :2]
    weighted = along.mT @ skin
    total = weighted @ along
    if not alone:
        total = total.sum(dim=0, keepdim=True)
    scale = total.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    total = total + torch.diag_embed(
        (1e-3 * scale + 1e-9 * scale.mean() + 1e-12)[..., None].expand(*scale.shape, 2)
    )
    lower = torch.linalg.cholesky(total)
    pulled = weighted @ jacobian.reshape(n_frames, -1, 3, n)
    rows = torch.linalg.solve_triangular(lower, pulled, upper=False) * share**0.5
    return rows.reshape(n_frames, -1, n)


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """`(H + diag - K^T K) d = -gradient`.

    curvature: H, in the same blocks as the vertex metric. diagonal: of damping and priors.
    """

    curvature: VertexMetric
    diagonal: Motion
    absorbed: Sequence[Absorbed] = ()

    def solve(self, gradient: Motion) -> Motion:
        """d, by conjugate gradients, preconditioned by the system without the texture (exact for it).

        Without coupling between frames, or without a texture, the preconditioner is the solution.
        """
        right = Motion(-gradient.own, -gradient.shared)
        solution = self.curvature.solve(right, self.diagonal)
        if not self.absorbed:
            return solution
        residual = _minus(right, self._times(solution))
        z = self.curvature.solve(residual, self.diagonal)
        direction, first = z, None
        rz = _dot(residual, z)
        for _ in range(MOST_ITERATIONS):
            first = rz if first is None else first
            if not rz > first * TOLERANCE**2:
                break
            image = self._times(direction)
            step = rz / _dot(direction, image)
            solution = _plus(solution, direction, step)
            residual = _plus(residual, image, -step)
            z = self.curvature.solve(residual, self.diagonal)
            rz, before = _dot(residual, z), rz
            direction = _plus(z, direction, rz / before)
        return solution

    def _times(self, x: Motion) -> Motion:
        h = self.curvature
        own = torch.einsum("fij,fj->fi", h.blocks, x.own) + self.diagonal.own * x.own
        shared = x.shared
        if len(x.shared):
            own = own + torch.einsum("fij,j->fi", h.coupling, x.shared)
            shared = torch.einsum("fij,fi->j", h.coupling, x.own) + h.shared @ x.shared
            shared = shared + self.diagonal.shared * x.shared
        product = Motion(own, shared)
        for part in self.absorbed:
            product = _minus(product, part.times(x))
        return product


def _dot(a: Motion, b: Motion) -> float:
    return float((a.own * b.own).sum() + (a.shared * b.shared).sum())


def _plus(a: Motion, b: Motion, factor: float) -> Motion:
    return Motion(a.own + factor * b.own, a.shared + factor * b.shared)


def _minus(a: Motion, b: Motion) -> Motion:
    return _plus(a, b, -1.0)

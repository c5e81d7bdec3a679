"""What the pictures know of every vertex: a 3x3 information tensor and a force, summed over all pixels."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import Residuals
from handrefine.losses.norms import reweighting
from handrefine.optimizers.picture_motion import WHOLLY, Linearised
from handrefine.optimizers.surface_points import SurfacePoints

#: The six entries of a symmetric 3x3 matrix, and where each stands in it.
_ROW, _COLUMN = (0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2)
_WHOLE = (0, 1, 2, 1, 3, 4, 2, 4, 5)


@dataclass(frozen=True, eq=False)
class VertexInformation:
    """Second-order model of the image terms in the motion of every vertex at every frame (double precision).

    With x the vertices' motions the terms are `value + sum_v (b_v . x_v + x_v . A_v x_v / 2)`.

    tensor: A, 1 / m^2. gradient: b, 1 / m. skin: the part of A that a texture could explain away. Vertices are
    counted through all hands and their own frames.
    """

    tensor: Float[Tensor, "vertex 3 3"]
    gradient: Float[Tensor, "vertex 3"]
    skin: Float[Tensor, "vertex 3 3"]


def vertex_information(
    blocks: Iterable[Linearised], points: SurfacePoints, coverage: Float[Tensor, " pixel"], n_vertices: int
) -> VertexInformation:
    """Gather what the blocks' pixels say at the vertices of the triangles that they show.

    A pixel's point x moves its picture by `u = P x`, and its residuals by `g u`: over all pixels and channels
    `A_v = sum beta_v P^T (w q g^T g) P` and `b_v = sum beta_v P^T (w q r g^T)`, with w the residual's weight, q
    its norm's reweighting and beta the barycentric weights.
    """
    of_motion = points.projection.new_zeros(len(points.pixel), 3)
    of_skin, force = torch.zeros_like(of_motion), of_motion.new_zeros(len(points.pixel), 2)
    inner = (points.own & (coverage[points.pixel] > WHOLLY))[:, None]
    for of in blocks:
        if of.motion is None:
            continue
        matrix, slope = _of_pixels(of, of.motion, points)
        of_motion += matrix
        force += slope
        if of.paintable:
            of_skin += matrix * inner
    x, y = points.projection.unbind(dim=1)
    world = torch.cat(
        [
            _pulled_back(of_motion, x, y),
            x * force[:, :1] + y * force[:, 1:],
            _pulled_back(of_skin, x, y),
        ],
        dim=1,
    )
    sums = world.new_zeros(n_vertices, world.shape[1])
    for k in range(3):
        sums.index_add_(0, points.corners[:, k], world * points.barycentric[:, k, None])
    sums = sums.double()
    whole = list(_WHOLE)
    return VertexInformation(
        sums[:, :6][:, whole].reshape(-1, 3, 3), sums[:, 6:9], sums[:, 9:][:, whole].reshape(-1, 3, 3)
    )


def counted(block: Residuals) -> float:
    """The lower sum of a block's value."""
    return float(block.count.sum().clamp(min=1e-6)) if isinstance(block.count, Tensor) else block.count


def _of_pixels(
    of: Linearised, motion: Float[Tensor, "pixel channel 2"], points: SurfacePoints
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point 2"]]:
    """Of every point the matrix (xx, xy, yy) and the gradient in the motion of its pixel.

    Raises:
        ValueError: the term has another number of residuals than pixels, so that none belongs to a point.
    """
    block, total = of.block, counted(of.block)
    if len(block.difference) <= int(points.pixel.max() if len(points.pixel) else -1):
        raise ValueError("a term that reads pictures needs one residual a pixel to be of use to gauss_newton")
    difference, g = block.difference[points.pixel], motion[points.pixel]
    weight = torch.full_like(difference[:, 0], of.scale * block.scale / total)
    if block.weight is not None:
        weight = weight * block.weight[points.pixel]
    wq = weight[:, None] * reweighting(block.norm, difference)
    gx, gy = g.unbind(dim=2)
    matrix = torch.stack([(wq * gx * gx).sum(1), (wq * gx * gy).sum(1), (wq * gy * gy).sum(1)], dim=1)
    slope = torch.stack([(wq * difference * gx).sum(1), (wq * difference * gy).sum(1)], dim=1)
    if of.of_count is not None:
        slope = slope - of.scale * float(block.value()) / total * of.of_count[points.pixel]
    return matrix, slope


def _pulled_back(m: Float[Tensor, "point 3"], x: Float[Tensor, "point 3"], y: Float[Tensor, "point 3"]) -> Tensor:
    """The six entries of `P^T M P`, x and y the rows of P."""
    xx, xy, yy = m[:, :1], m[:, 1:2], m[:, 2:]
    x0, x1, y0, y1 = x[:, _ROW], x[:, _COLUMN], y[:, _ROW], y[:, _COLUMN]
    return xx * x0 * x1 + xy * (x0 * y1 + y0 * x1) + yy * y0 * y1

"""How residuals change as the pictured surface moves: the image-space half of a Gauss-Newton step."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from handrefine.losses.base import Iterate, Residuals
from handrefine.losses.comparison import compare
from handrefine.losses.objective import Objective
from handrefine.losses.view_stack import ViewStack
from handrefine.observations import Observations
from handrefine.scene.video_model import Prediction

#: Coverage from which on a pixel is wholly skin.
WHOLLY = 0.99


@dataclass(frozen=True, eq=False)
class PictureGradient:
    """By how much every pixel changes a pixel of motion of its surface in x and y, with the sign of `-grad`."""

    hand_rgb: Float[Tensor, "pixel 3 2"]
    by_hand: Float[Tensor, "pixel hand 2"]


def picture_gradient(prediction: Prediction, observations: Observations, stack: ViewStack) -> PictureGradient:
    """From the pictures themselves (a surface carries its colours along), and from the target where it helps.

    Within the skin the target's gradient is taken: the render's noise would count as information. At contours over
    a known background the mean of both, which doubles the step's range of convergence (efficient second-order
    minimization; Benhimane and Malis 2004); over an unknown one the render's alone.
    """
    seen = observations
    by_hand = prediction.by_hand
    of_hand = stack.gradient(
        torch.cat([prediction.hand_rgb, by_hand, seen.target, seen.hand_share[:, None]], dim=1)
    )
    n_hands = by_hand.shape[1]
    rgb, covered, target, share = of_hand.split([3, n_hands, 3, 1], dim=1)
    coverage = prediction.coverage[:, None, None]
    background = seen.background[..., None]
    total = covered.sum(dim=1, keepdim=True)
    composite = rgb - background * total
    known = seen.background_known[:, None, None]
    within = (coverage > WHOLLY) & (total == 0).all(dim=2, keepdim=True)
    composite = torch.where(known | (coverage > WHOLLY), (composite + target) / 2, composite)
    composite = torch.where(within, target, composite)
    if n_hands == 1:
        labelled = (seen.silhouette_weight > 0)[:, None, None]
        covered = torch.where(labelled, (covered + share) / 2, covered)
    rgb = composite + background * covered.sum(dim=1, keepdim=True)
    return PictureGradient(-rgb, -covered)


@dataclass(frozen=True, eq=False)
class Linearised:
    """A block of residuals, its weight in the objective included.

    block: detached. scale: of its values in the objective.
    motion: derivative of the residuals by the motion of their pixels in x and y, px; None where they do not depend
        on pictures.
    of_count: derivative of the lower sum's entries likewise; None where it is a constant.
    paintable: a change of texture could explain the residuals.
    """

    term: str
    block: Residuals
    scale: float
    paintable: bool
    motion: Float[Tensor, "residual channel 2"] | None
    of_count: Float[Tensor, "residual 2"] | None


def linearised(
    objective: Objective, iterate: Iterate, observations: Observations, gradient: PictureGradient, *, protect: bool
) -> Iterator[Linearised]:
    """Every block of the objective's terms, differentiated forward in the motion of the pictures.

    Terms need not know of it: their residuals are asked with pictures that carry a tangent, once a direction.
    """
    by_axis: list[dict[str, list]] = []
    for axis in range(2):
        with forward_ad.dual_level():
            moving = _moving(iterate, observations, gradient, axis, protect=protect)
            # Of terms that do not depend on pictures one direction says everything.
            asked = [name for name in objective.terms if axis == 0 or _depends(by_axis[0][name])]
            by_axis.append(
                {name: [_split(block) for block in objective.terms[name].residuals(moving)] for name in asked}
            )
    for name, blocks in by_axis[0].items():
        paintable, weight = "texture" in objective.terms[name].reads, objective.weights[name]
        for k, (block, dx, nx) in enumerate(blocks):
            _, dy, ny = by_axis[1][name][k] if name in by_axis[1] else (block, None, None)
            motion = None if dx is None or dy is None else torch.stack([dx, dy], dim=2)
            of_count = None if nx is None or ny is None else torch.stack([nx, ny], dim=1)
            yield Linearised(name, block, weight, paintable, motion, of_count)


def _depends(blocks: list[tuple[Residuals, Tensor | None, Tensor | None]]) -> bool:
    """Whether one of a term's blocks changes as pictures move."""
    return any(of_difference is not None for _, of_difference, _ in blocks)


def _moving(
    iterate: Iterate, observations: Observations, gradient: PictureGradient, axis: int, *, protect: bool
) -> Iterate:
    """The iterate whose pictures carry the tangent of a motion along one axis; call within a dual level."""
    of = iterate.prediction
    rgb = forward_ad.make_dual(of.hand_rgb.detach(), gradient.hand_rgb[..., axis].contiguous())
    by_hand = forward_ad.make_dual(of.by_hand.detach(), gradient.by_hand[..., axis].contiguous())
    moving = Prediction(of.geometries, rgb, by_hand.sum(dim=1), by_hand)
    comparison = compare(moving, observations, protect_texture=protect)
    return Iterate(iterate.model, moving, comparison, iterate.cameras, iterate.occluded)


def _split(block: Residuals) -> tuple[Residuals, Tensor | None, Tensor | None]:
    """The block without tangents, and those of its residuals and counts."""
    difference, motion = forward_ad.unpack_dual(block.difference)
    count, of_count = block.count, None
    if isinstance(count, Tensor):
        count, of_count = forward_ad.unpack_dual(count)
    weight = block.weight
    if weight is not None:
        weight = forward_ad.unpack_dual(weight).primal
    plain = Residuals(difference, block.norm, weight, count, block.scale, block.frame_index)
    return plain, motion, of_count

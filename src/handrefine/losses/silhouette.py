"""The silhouette term: the render covers what is hand and nothing that is not."""

from jaxtyping import Float
from torch import Tensor


def silhouette_loss(
    coverage: Float[Tensor, " pixel"],
    hand_share: Float[Tensor, " pixel"],
    weight: Float[Tensor, " pixel"],
) -> Float[Tensor, ""]:
    """Mean of `|coverage - hand_share|` over the pixels of which labels say something; 0 when there are none.

    Up to a factor it is the area by which two silhouettes differ, so every contour pixel pulls with the same force
    however far the contour is from its place. Differentiable in coverage.

    hand_share: share of the pixel that is labelled HAND. weight: 1 where it is known, 0 where it is unknown.
    """
    return ((coverage - hand_share).abs() * weight).sum() / weight.sum().clamp(min=1e-6)

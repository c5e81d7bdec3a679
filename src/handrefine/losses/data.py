"""The data term: how far the rendered colours are from the images (Eq. 3 of the paper)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError

Norm = Literal["l1", "l2", "huber"]


def residual_norm(
    rendered: Float[Tensor, "pixel 3"],
    target: Float[Tensor, "pixel 3"],
    norm: Norm = "l1",
    *,
    huber_delta: float = 0.1,
) -> Float[Tensor, " pixel"]:
    """Residual of every pixel, the mean of the norm over its channels; differentiable.

    With d the difference: l1 is |d|, l2 is d^2, and huber is d^2 / (2 delta) up to |d| = delta and |d| - delta / 2
    above, so that it tends to l1 as delta vanishes.

    Raises:
        InputError: an unknown norm.
    """
    difference = rendered - target
    size = difference.abs()
    if norm == "l1":
        return size.mean(dim=1)
    if norm == "l2":
        return difference.square().mean(dim=1)
    if norm == "huber":
        quadratic = difference.square() / (2 * huber_delta)
        return torch.where(size <= huber_delta, quadratic, size - huber_delta / 2).mean(dim=1)
    raise InputError("unknown norm", where="objective.residual", expected="l1, l2 or huber", found=norm)


def mean_residual(
    residual: Float[Tensor, " pixel"],
    weight: Float[Tensor, " pixel"],
    coverage: Float[Tensor, " pixel"],
    background_known: Bool[Tensor, " pixel"],
) -> Float[Tensor, ""]:
    """`sum w r / sum w`, where a pixel in front of an unknown background counts in the lower sum by its coverage.

    The paper sums over pixels; a mean keeps the balance with the prior independent of resolution and views. The
    background behind such a pixel is the image itself (see `LabelImage`), so that r is proportional to coverage
    already; a sum would then reward a hand for shrinking, and the quotient does not. 0 where nothing counts.
    """
    return (residual * weight).sum() / counted_pixels(weight, coverage, background_known).clamp(min=1e-6)


def counted_pixels(
    weight: Float[Tensor, " pixel"], coverage: Float[Tensor, " pixel"], background_known: Bool[Tensor, " pixel"]
) -> Float[Tensor, ""]:
    """The lower sum of `mean_residual`: how many pixels the data term averages over."""
    return torch.where(background_known, weight, weight * coverage).sum()

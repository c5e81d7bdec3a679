"""Norms: from a row of differences to one number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, PositiveFloat
from pydantic import dataclasses as typed
from torch import Tensor

#: From (residual, channel) to (residual,); differentiable.
Norm = Callable[[Tensor], Tensor]


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PixelNorm:
    """Size of the difference between render and image: the mean over the channels of one of three norms.

    With d the difference: l1 is |d|, l2 is d^2, and huber is d^2 / (2 delta) up to |d| = delta and |d| - delta / 2
    above, so that it tends to l1 as delta vanishes.
    """

    norm: Literal["l1", "l2", "huber"] = "huber"
    """Of a channel's difference. l1, the paper's, follows the median of a noisy render."""
    huber_delta: PositiveFloat = 0.05
    """Residual at which huber turns from square to linear."""

    def __call__(self, difference: Float[Tensor, "residual channel"]) -> Float[Tensor, " residual"]:
        size = difference.abs()
        if self.norm == "l1":
            return size.mean(dim=1)
        if self.norm == "l2":
            return difference.square().mean(dim=1)
        quadratic = difference.square() / (2 * self.huber_delta)
        return torch.where(size <= self.huber_delta, quadratic, size - self.huber_delta / 2).mean(dim=1)


@dataclass(frozen=True)
class Squared:
    """`|d|^2 / scale`."""

    scale: float = 1.0

    def __call__(self, difference: Float[Tensor, "residual channel"]) -> Float[Tensor, " residual"]:
        squared = difference.square().sum(dim=1)
        return squared if self.scale == 1 else squared / self.scale


def absolute(difference: Float[Tensor, "residual 1"]) -> Float[Tensor, " residual"]:
    """`|d|` of a single channel."""
    return difference[:, 0].abs()


def euclidean(difference: Float[Tensor, "residual channel"]) -> Float[Tensor, " residual"]:
    """`|d|`; no gradient where it is zero."""
    return torch.linalg.vector_norm(difference, dim=-1)


#: Sizes below which a norm with a kink counts as square when it is reweighted: coverage, and radians.
KINKS: dict[Norm, float] = {absolute: 0.15, euclidean: 0.1}


def reweighting(norm: Norm, difference: Float[Tensor, "residual channel"]) -> Float[Tensor, "residual channel"]:
    """The weights q with `q d = d rho / d d`, so that `q d^2 / 2` is the square that touches rho at d.

    Iteratively reweighted least squares takes them for the curvature (Holland and Welsch 1977). Below a norm's
    kink they stay as they are at it.
    """
    kink = KINKS.get(norm, 1e-6)
    if isinstance(norm, PixelNorm) and norm.norm == "l1":
        kink = norm.huber_delta
    away = torch.where(difference.abs() < kink, kink, difference.detach().abs()).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(norm(away).sum(), away)
    return (slope / away).detach()

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

"""Shapes stay within what hands can be."""

import torch
from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared

#: Betas beyond the limit that cost 1.
SCALE = 0.25


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ShapeLimitsConfig:
    """Betas that hardly any hand has: however many pixels ask for one, wrong labels or fingers speak."""

    weight: NonNegativeFloat = 1e-3
    """Weight in the objective."""
    limit: PositiveFloat = 2.5
    """Standard deviations that a beta may have for nothing; one beta in 80 has more."""

    def build(self, setup: Setup) -> "ShapeLimitsTerm":
        del setup
        return ShapeLimitsTerm(self.limit)


class ShapeLimitsTerm:
    """`mean over hands of sum_k (beyond_k / 0.25)^2`, zero within the limit.

    Unlike that of `usual_shape` its weight does not fall with the number of views.
    """

    reads = ("shape",)
    judges_frames = False

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a shape."""
        hands = iterate.model.hands
        blocks = []
        for hand in hands:
            betas = hand.pose.shape.reshape(-1, hand.pose.shape.shape[-1])
            beyond = torch.relu(betas.abs() - self._limit)
            blocks.append(Residuals(beyond / SCALE, Squared(), count=float(len(betas) * len(hands))))
        return blocks

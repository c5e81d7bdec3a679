"""A weak pull towards shapes that hands usually have."""

from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UsualShapeConfig:
    """A Gaussian over shapes."""

    weight: NonNegativeFloat = 5e-4
    """Weight in the objective."""

    def build(self, setup: Setup) -> "UsualShapeTerm":
        del setup
        return UsualShapeTerm()


class UsualShapeTerm:
    """The mean square of the betas, over hands and, where every frame has its own shape, frames."""

    reads = ("shape",)
    judges_frames = False

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a beta."""
        hands = iterate.model.hands
        shapes = [hand.pose.shape.reshape(-1, 1) for hand in hands]
        return [Residuals(betas, Squared(), count=float(len(betas) * len(hands))) for betas in shapes]

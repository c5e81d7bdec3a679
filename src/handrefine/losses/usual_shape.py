"""A weak pull towards shapes that hands usually have."""

from dataclasses import dataclass

from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UsualShapeConfig:
    """A Gaussian over shapes."""

    weight: NonNegativeFloat = 5e-4
    """Weight in the objective."""
    per_view: bool = True
    """The weight is that beside a single view, and falls with their number: beside the mean over all pixels, a
    prior's share does. Off, it is the same for every video."""

    def build(self, setup: Setup) -> "UsualShapeTerm":
        if not self.per_view:
            return UsualShapeTerm(1, 1.0)
        frames = sum(map(len, setup.frames)) / len(setup.frames)
        return UsualShapeTerm(len(setup.observations.camera_names), frames)


@dataclass(frozen=True)
class UsualShapeTerm:
    """The mean square of the betas, over hands and, where every frame has its own shape, frames; divided by the
    number of views that one shape is seen in.

    n_frames: of a hand, on average.
    """

    n_cameras: int
    n_frames: float
    reads = ("shape",)
    judges_frames = False

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a beta."""
        hands = iterate.model.hands
        blocks = []
        for hand in hands:
            views = self.n_cameras * (1.0 if hand.pose.shape.ndim == 2 else self.n_frames)
            betas = hand.pose.shape.reshape(-1, 1)
            blocks.append(Residuals(betas, Squared(), count=len(betas) * len(hands) * views))
        return blocks

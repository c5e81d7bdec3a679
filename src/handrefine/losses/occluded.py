"""Where no image shows a joint's surface, the annotation is all that is known of it."""

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared

#: Radians of corrective that cost 1 at a joint that no camera sees.
SCALE_RAD = 0.1


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OccludedConfig:
    """Occluded joints are held at the annotation."""

    weight: NonNegativeFloat = 0.01
    """Weight in the objective."""
    seen: Annotated[float, Ge(0), Le(1)] = 0.0
    """The share at which joints that are well seen are held, too."""

    def build(self, setup: Setup) -> "OccludedTerm":
        del setup
        return OccludedTerm(self.seen)


class OccludedTerm:
    """`mean over hands, frames and joints of w |corrective / 0.1 rad|^2`, w how little of the joint is seen."""

    reads = ("articulation",)
    judges_frames = False

    def __init__(self, seen: float) -> None:
        self._seen = seen

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a joint and frame."""
        hands, blocks = iterate.model.hands, []
        for hand, occluded in zip(hands, iterate.occluded, strict=True):
            corrective = (hand.pose.articulation.unflatten(1, (15, 3)) / SCALE_RAD).flatten(0, 1)
            weight = (self._seen + (1 - self._seen) * occluded).flatten()
            blocks.append(Residuals(corrective, Squared(), weight, float(len(corrective) * len(hands))))
        return blocks

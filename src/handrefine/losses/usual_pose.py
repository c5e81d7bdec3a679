"""A weak pull towards poses that hands usually take."""

from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.hand.anatomy import learned_or_anatomical_prior
from handrefine.hand.model import HandModel
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.joint_limits import relative_to_mean
from handrefine.losses.norms import Squared


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UsualPoseConfig:
    """A Gaussian over poses: MANO's learned pose space, else usual angles of a hand's joints."""

    weight: NonNegativeFloat = 1e-4
    """Weight in the objective."""

    def build(self, setup: Setup) -> "UsualPoseTerm":
        whitenings = [learned_or_anatomical_prior(hand).whitening for hand in setup.hands]
        return UsualPoseTerm(setup.hands, whitenings)


class UsualPoseTerm:
    """`mean over hands and frames of |W pose|^2 / 45`: 1 on average for a usual hand.

    The pose is relative to the mean pose, and W takes it to independent coordinates of deviation 1, such as a
    learned pose space's principal components divided by their standard deviations.
    """

    reads = ("articulation",)
    judges_frames = False

    def __init__(self, hands: tuple[HandModel, ...], whitenings: list[Float[Tensor, "45 45"]]) -> None:
        self._hands, self._whitenings = hands, whitenings

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a coordinate and frame."""
        hands, blocks = iterate.model.hands, []
        for hand, model, whitening in zip(hands, self._hands, self._whitenings, strict=True):
            whitened = (relative_to_mean(hand.pose, model) @ whitening.T).reshape(-1, 1)
            blocks.append(Residuals(whitened, Squared(), count=float(len(whitened) * len(hands))))
        return blocks

"""Joint angles stay within what a hand can do."""

import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.hand.anatomy import pose_prior
from handrefine.hand.model import HandModel
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared
from handrefine.scene.pose import PoseVariables

#: Radians beyond a joint's limit that cost 1.
SCALE_RAD = 0.1


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class JointLimitsConfig:
    """Joint angles beyond anatomical limits (a model with limits only: the open hand)."""

    weight: NonNegativeFloat = 1e-3
    """Weight in the objective."""

    def build(self, setup: Setup) -> "JointLimitsTerm | None":
        limits = [(prior.lower, prior.upper) for prior in map(pose_prior, setup.hands)]
        known = any(bool(torch.isfinite(lower).any()) for lower, _ in limits)
        return JointLimitsTerm(setup.hands, limits) if known else None


class JointLimitsTerm:
    """`mean over hands and frames of sum_k (beyond_k / 0.1 rad)^2`, zero within the limits."""

    reads = ("articulation",)
    judges_frames = False

    def __init__(
        self, hands: tuple[HandModel, ...], limits: list[tuple[Float[Tensor, "45"], Float[Tensor, "45"]]]
    ) -> None:
        self._hands, self._limits = hands, limits

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a frame."""
        hands = iterate.model.hands
        blocks = []
        for hand, model, (lower, upper) in zip(hands, self._hands, self._limits, strict=True):
            pose = relative_to_mean(hand.pose, model)
            beyond = torch.relu(lower - pose) + torch.relu(pose - upper)
            blocks.append(Residuals(beyond / SCALE_RAD, Squared(), count=float(len(pose) * len(hands))))
        return blocks


def relative_to_mean(pose: PoseVariables, model: HandModel) -> Float[Tensor, "frame 45"]:
    """Joint angles relative to the model's mean pose, from which its limits and usual poses count."""
    return pose.articulation_aa() - (model.hands_mean if pose.flat_hand_mean else 0.0)

"""The terms of the objective that ask no picture: what hands can do, and the annotation of hidden fingers."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import ObjectiveConfig
from handrefine.hand.anatomy import learned_or_anatomical_prior
from handrefine.hand.capsules import bone_radii
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.losses.occluded import annotation_tie
from handrefine.losses.penetration import penetration
from handrefine.losses.plausibility import joint_limit_loss, usual_pose_loss
from handrefine.scene.pose import PoseVariables
from handrefine.scene.video_model import VideoHand


class HandTerms:
    """Joint limits, usual poses and shapes, and the tie of hidden joints, weighted; means over the hands."""

    def __init__(self, config: ObjectiveConfig, hands: Sequence[HandModel]) -> None:
        self._config, self._hands = config, tuple(hands)
        self._priors = [learned_or_anatomical_prior(hand) for hand in hands]

    def __call__(self, hands: Sequence[VideoHand], hidden: Sequence[Float[Tensor, "_ 15"]]) -> dict[str, Tensor]:
        """Every term whose weight is not zero, weighted.

        hidden: of every hand at its own frames, see `Sight`.
        """
        of_hands = [self._of_hand(k, hand.pose, hidden[k]) for k, hand in enumerate(hands)]
        names = dict.fromkeys(name for terms in of_hands for name in terms)
        return {
            name: torch.stack([terms[name] for terms in of_hands if name in terms]).sum() / len(of_hands)
            for name in names
        }

    def _of_hand(self, k: int, pose: PoseVariables, hidden: Float[Tensor, "frame 15"]) -> dict[str, Tensor]:
        config, prior = self._config, self._priors[k]
        # The prior counts from the mean pose.
        relative = pose.articulation_aa() - (self._hands[k].hands_mean if pose.flat_hand_mean else 0.0)
        terms: dict[str, Tensor] = {}
        if config.lambda_limits > 0 and torch.isfinite(prior.lower).any():
            terms["limits"] = joint_limit_loss(relative, prior.lower, prior.upper)
        if config.lambda_pose > 0:
            terms["pose"] = usual_pose_loss(relative, prior.whitening)
        if config.lambda_shape > 0:
            terms["shape"] = pose.shape.square().mean()
        if config.lambda_tie > 0:
            weight = config.tie_seen + (1 - config.tie_seen) * hidden
            terms["tie"] = annotation_tie(pose.articulation, weight)
        return {name: getattr(config, f"lambda_{name}") * term for name, term in terms.items()}


class PenetrationTerm:
    """Penetration of hands by themselves and each other, weighted.

    Args:
        hands: the models of the hands that move.
        still_joints_world: joints of a hand besides that stays where it is; NaN where it is not known. Its bones
            are as thick as the first hand's.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        hands: Sequence[HandModel],
        still_joints_world: Float[Tensor, "frame 21 3"] | None = None,
    ) -> None:
        self._weight = config.lambda_penetration
        self._radii = [bone_radii(hand) for hand in hands]
        self._still: list[Tensor] = []
        if still_joints_world is not None:
            self._still, self._radii = [still_joints_world.to(self._radii[0])], [*self._radii, self._radii[0]]

    def __call__(self, geometries: Sequence[HandGeometry]) -> dict[str, Tensor]:
        """One geometry a hand, in the order of `hands`; nothing where the weight is zero."""
        if self._weight == 0:
            return {}
        joints = [geometry.joints_world for geometry in geometries]
        return {"penetration": self._weight * penetration([*joints, *self._still], self._radii)}

"""The terms of the objective that ask no picture: what hands can do, and the annotation of hidden fingers."""

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import ObjectiveConfig
from handrefine.hand.anatomy import learned_or_anatomical_prior
from handrefine.hand.capsules import bone_radii
from handrefine.hand.model import HandGeometry, HandModel
from handrefine.objective.penetration import penetration
from handrefine.objective.plausibility import joint_limit_loss, usual_pose_loss
from handrefine.objective.tie import annotation_tie
from handrefine.refine.variables import PoseVariables


class HandTerms:
    """Joint limits, usual poses, the tie of hidden joints, and penetration of one hand, each by its weight.

    Args:
        other_joints_world: another hand's joints, which stay where they are; NaN where it is not known.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        hand: HandModel,
        other_joints_world: Float[Tensor, "frame 21 3"] | None = None,
    ) -> None:
        self._config, self._hand = config, hand
        self._prior = learned_or_anatomical_prior(hand)
        self._radii = bone_radii(hand)
        self._other = None if other_joints_world is None else other_joints_world.to(self._radii)

    def __call__(
        self, pose: PoseVariables, geometry: HandGeometry, hidden: Float[Tensor, "frame 15"]
    ) -> dict[str, Tensor]:
        """Every term whose weight is not zero, weighted.

        hidden: see `Sight`.
        """
        config, prior = self._config, self._prior
        # The prior counts from the mean pose.
        relative = pose.articulation_aa() - (self._hand.hands_mean if pose.flat_hand_mean else 0.0)
        terms: dict[str, Tensor] = {}
        if config.lambda_limits > 0 and torch.isfinite(prior.lower).any():
            terms["limits"] = joint_limit_loss(relative, prior.lower, prior.upper)
        if config.lambda_pose > 0:
            terms["pose"] = usual_pose_loss(relative, prior.whitening)
        if config.lambda_tie > 0:
            weight = config.tie_seen + (1 - config.tie_seen) * hidden
            terms["tie"] = annotation_tie(pose.articulation, weight)
        if config.lambda_penetration > 0:
            joints = [geometry.joints_world] if self._other is None else [geometry.joints_world, self._other]
            terms["penetration"] = penetration(joints, [self._radii] * len(joints))
        return {name: getattr(config, f"lambda_{name}") * term for name, term in terms.items()}

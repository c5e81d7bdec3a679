"""Pose plausibility: weak terms that ask no picture what a hand can do and usually does."""

import torch
from jaxtyping import Float
from torch import Tensor

#: Radians beyond a joint's limit that cost 1.
LIMIT_SCALE = 0.1


def joint_limit_loss(
    pose: Float[Tensor, "frame 45"], lower: Float[Tensor, "45"], upper: Float[Tensor, "45"]
) -> Float[Tensor, ""]:
    """`mean over frames of sum_k (beyond_k / 0.1 rad)^2`, zero within the limits.

    pose: joint angles; lower, upper: limits relative to the same zero pose; infinite where there is none.
    """
    beyond = torch.relu(lower - pose) + torch.relu(pose - upper)
    return (beyond / LIMIT_SCALE).square().sum(dim=1).mean()


def usual_pose_loss(pose: Float[Tensor, "frame 45"], whitening: Float[Tensor, "45 45"]) -> Float[Tensor, ""]:
    """`mean over frames of |W pose|^2 / 45`: a Gaussian about the mean pose, 1 on average for a usual hand.

    pose: joint angles relative to the mean pose. whitening: takes them to independent coordinates of deviation 1,
    such as a learned pose space's principal components divided by their standard deviations.
    """
    return (pose @ whitening.T).square().mean()

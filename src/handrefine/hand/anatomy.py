"""What a hand can do: which bends of a joint are common, rare or impossible, as least-squares residuals.

Joints alone leave much of a pose open: no joint moves when a finger's last bone twists. These weak residuals
decide what the joints do not, and say no to what a hand cannot do.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.model import JOINT_ORDER, HandModel
from handrefine.sequence import JOINT_NAMES

#: Standard deviations in radians of (bending, spreading, twisting) at the first, middle and last joint.
FINGER_STD = ((0.8, 0.25, 0.1), (0.8, 0.06, 0.06), (0.6, 0.06, 0.06))
#: The thumb's axes differ from model to model, so that only its twist is told from its other rotations.
THUMB_STD = ((0.5, 0.5, 0.3), (0.5, 0.3, 0.15), (0.6, 0.2, 0.1))
LIMIT_STD = 0.05
#: Radians; the last components of a learned pose space hardly vary, and must not become walls.
LEAST_STD = 0.05
SHAPE_STD = 1.0
#: Beyond this many standard deviations a shape is no longer that of a person; the bound is steep, not hard.
SHAPE_BOUND, SHAPE_BOUND_STD = 2.5, 0.2


@dataclass(frozen=True, eq=False)
class PosePrior:
    """Residuals of the 45 pose numbers (relative to the mean pose) in standard deviations.

    whitening: rotates every joint's axis-angle into (bend, spread, twist) and divides by their deviations.
    lower, upper: the joint limits, relative to the mean pose like the pose itself.
    """

    whitening: Float[Tensor, "45 45"]
    lower: Float[Tensor, "45"]
    upper: Float[Tensor, "45"]

    def residuals(self, pose: Float[Tensor, "45"]) -> Float[Tensor, "90"]:
        beyond = torch.relu(self.lower - pose) + torch.relu(pose - self.upper)
        return torch.cat([self.whitening @ pose, beyond / LIMIT_STD])


def shape_residuals(shape: Float[Tensor, "10"]) -> Float[Tensor, "20"]:
    """Residuals of the shape: a unit Gaussian, and a steep wall at `SHAPE_BOUND`."""
    return torch.cat([shape / SHAPE_STD, torch.relu(shape.abs() - SHAPE_BOUND) / SHAPE_BOUND_STD])


def pose_prior(model: HandModel) -> PosePrior:
    """The prior of a model, on its device and precision; one without joint limits gets none."""
    mean = model.hands_mean
    std = mean.new_ones(15, 3)
    for finger, place, joint in _finger_joints():
        std[joint] = mean.new_tensor((THUMB_STD if finger == "thumb" else FINGER_STD)[place])
    whitening = mean.new_zeros(15, 3, 15, 3)
    joints = torch.arange(15)
    whitening[joints, :, joints] = joint_axes(model) / std[..., None]
    limits = model.joint_limits
    unlimited = torch.full_like(mean, torch.inf)
    lower, upper = (-unlimited, unlimited) if limits is None else (mean.new_tensor(x) - mean for x in limits)
    return PosePrior(whitening.reshape(45, 45), lower, upper)


def joint_axes(model: HandModel) -> Float[Tensor, "15 3 3"]:
    """Of MANO's finger joints the axes (bend, spread, twist) in the flat hand, read off the model's own skeleton.

    A joint's twist axis is its bone, its bending axis lies in the palm across the bone and turns fingers towards
    the palm, its spreading axis is the third. Thumbs bend otherwise.
    """
    mean = model.hands_mean
    rest = torch.cat([mean.new_zeros(3), -mean])[None]  # the flat hand
    joints = model.joints(rest, mean.new_zeros(1, 10), mean.new_zeros(1, 3))[0]
    at = {name: joints[k] for k, name in enumerate(JOINT_NAMES)}
    out_of_palm = torch.linalg.cross(at["index1"] - at["wrist"], at["pinky1"] - at["wrist"])
    if model.side == "left":
        out_of_palm = -out_of_palm
    axes = mean.new_zeros(15, 3, 3)
    for finger, place, joint in _finger_joints():
        twist = _unit(at[f"{finger}{place + 2}"] - at[f"{finger}{place + 1}"])
        bend = _unit(torch.linalg.cross(twist, out_of_palm))
        axes[joint] = torch.stack([bend, torch.linalg.cross(twist, bend), twist])
    return axes


def learned_or_anatomical_prior(model: HandModel) -> PosePrior:
    """The prior in a model's learned pose space where it has one (MANO's principal components), else `pose_prior`.

    A pose p relative to the mean is `sum_k c_k v_k` with v_k the rows of V, hence `c = V^-T p`; divided by their
    standard deviations, the c_k are independent and of unit variance among the poses that the model learned from.
    """
    prior = pose_prior(model)
    if model.pose_space is None:
        return prior
    components, std = model.pose_space
    to_coefficients = np.linalg.pinv(components.T)
    whitening = to_coefficients / np.maximum(std, LEAST_STD)[:, None]
    return replace(prior, whitening=prior.whitening.new_tensor(whitening))


def _finger_joints() -> Iterator[tuple[str, int, int]]:
    """Finger, place (0 at the palm) and number of each of MANO's 15 finger joints."""
    for name, mano_joint in zip(JOINT_NAMES, JOINT_ORDER, strict=True):
        if name[-1] in "123":
            yield name[:-1], int(name[-1]) - 1, mano_joint - 1


def _unit(vector: Float[Tensor, "3"]) -> Float[Tensor, "3"]:
    return vector / torch.linalg.norm(vector)

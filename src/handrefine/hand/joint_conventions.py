"""Where detectors and annotators see the joints of a hand, beside where the hand model has its own.

A skinned model's joints are where its surface bends best. People, and detectors that learned from them, mark the
joints of the skeleton: MediaPipe, OpenPose, COCO-WholeBody and InterHand2.6M alike, whose 21 hand joints have one
meaning and, but for InterHand2.6M, the order of `JOINT_NAMES`. The wrist is marked at its crease, past the joint
with the forearm about which the model turns.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST

#: model: the hand model's own joints. landmarks: the skeleton's, as detectors give them.
ConventionName = Literal["model", "landmarks"]

#: Bones in mm, from radiographs of 66 adults (Buryanov and Kotiuk, "Proportions of hand segments", 2010): the
#: thumb's metacarpal, or a finger's proximal phalanx; the next bone; and the last one with its soft tissue.
BONES_MM = {
    "thumb": (46.2, 31.6, 27.4),
    "index": (39.8, 22.4, 19.6),
    "middle": (44.6, 26.3, 21.4),
    "ring": (41.4, 25.7, 21.3),
    "pinky": (32.7, 18.1, 19.7),
}
#: A joint's centre lies within the head of the bone before it, so deep: half a head's depth, mm. The thumb's first
#: joint is a saddle at its metacarpal's base.
HEADS_MM = {"thumb": (0.0, 6.0, 4.5), "finger": (7.0, 4.5, 3.0)}
#: The crease of the wrist past its joint, and the knuckles before the model's (by the same proportions, if a whole
#: hand is as long as the model's), as shares of the way from wrist to knuckle.
CREASE, KNUCKLE = 0.08, 0.05
#: How far a joint may be off along its bone besides, standard deviation in mm: people's proportions differ by it.
FREEDOM_MM = 2.0


@dataclass(frozen=True, eq=False)
class JointConvention:
    """Joints on the model's bones: `y_j = x_j + a_j (x_towards(j) - x_j)`, whatever the pose.

    towards: of every joint the joint at the other end of the bone along which it moves. share: a, on the average;
    std: how far a person's own may be from it, 0 where it is known.
    """

    name: ConventionName
    towards: tuple[int, ...]
    share: Float[Tensor, "21"]
    std: Float[Tensor, "21"]

    @property
    def is_free(self) -> bool:
        """Whether the shares are unknowns of a fit."""
        return bool((self.std > 0).any())

    def seen(self, joints: Float[Tensor, "*frame 21 3"], freedom: Float[Tensor, "21"] | None) -> Tensor:
        """The joints of this convention from the model's, both posed; differentiable.

        freedom: how far the shares are from the average, in standard deviations.
        """
        share = self.share if freedom is None else self.share + self.std * freedom
        bone = joints[..., list(self.towards), :] - joints
        return joints + share[:, None] * bone


def joint_convention(name: ConventionName, rest: Float[Tensor, "21 3"]) -> JointConvention:
    """A convention on a hand model whose joints at rest, fingers straight, are these (metres)."""
    towards = _towards()
    if name == "model":
        return JointConvention(name, towards, rest.new_zeros(21), rest.new_zeros(21))
    x = rest.detach().cpu().double().numpy()
    bone_m = np.linalg.norm(x[list(towards)] - x, axis=1)
    share = np.zeros(21)
    share[WRIST] = CREASE
    for finger, bones_mm in BONES_MM.items():
        first = JOINT_NAMES.index(f"{finger}1")
        if finger != "thumb":
            share[first] = KNUCKLE
        heads_mm = HEADS_MM["thumb" if finger == "thumb" else "finger"]
        between_mm = np.array(bones_mm) + heads_mm - np.array([*heads_mm[1:], 0.0])
        along = np.cumsum(np.linalg.norm(np.diff(x[first : first + 4], axis=0), axis=1))
        expected = np.cumsum(between_mm) / between_mm.sum() * along[-1]
        share[first + 1 : first + 3] = (expected - along)[:2] / bone_m[first + 1 : first + 3]
    return JointConvention(name, towards, rest.new_tensor(share), rest.new_tensor(FREEDOM_MM / 1e3 / bone_m))


def _towards() -> tuple[int, ...]:
    """The wrist moves towards the middle knuckle, first joints of fingers along the bone from the wrist, the next
    two towards the tip, and tips along the last bone."""
    towards = [MIDDLE_KNUCKLE]
    for first in range(1, 21, 4):
        towards += [WRIST, first + 2, first + 3, first + 2]
    return tuple(towards)

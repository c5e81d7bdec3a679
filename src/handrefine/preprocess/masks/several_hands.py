"""Hands that are modelled together in one view: where their forearms may be, and whose skin is whose.

Another modelled hand is nothing unknown. What lies beyond its wrist still is, and so is the forearm where it
passes behind or before another hand.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int8

from handrefine import regions
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST

#: Half-width of a forearm or sleeve, as a share of the hand's length.
FOREARM = 0.25
#: How far from the other hands' palms and bones skin must be to be certainly this hand's, as a share of the
#: largest hand's length: about 3 cm, the flesh around a bone and what an annotation may be off. To be nearer to
#: one hand's bones is not enough, since a hand that is hidden has bones in the image, too.
CLEAR = 0.17
#: Flesh around palm and bones that is certainly the hand's, though the annotation is off; a share as above.
FLESH = 0.03

Joints = Float[np.ndarray, "21 2"]
Region = Bool[np.ndarray, "height width"]
Distances = Float[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class HandInView:
    """The joints of one hand in pixels of an image, and what lies how far from it; all distances in pixels."""

    joints_px: Joints
    height: int
    width: int

    @cached_property
    def length_px(self) -> float:
        return regions.hand_length_px(self.joints_px)

    @cached_property
    def from_hull_px(self) -> Distances:
        return regions.distance_px(regions.convex_hull(self.joints_px, self.height, self.width))

    @cached_property
    def from_bones_px(self) -> Distances:
        return regions.distance_px(regions.bones(self.joints_px, self.height, self.width))

    @cached_property
    def from_body_px(self) -> Distances:
        """From the palm and the bones."""
        return regions.distance_px(regions.body(self.joints_px, self.height, self.width))

    @cached_property
    def from_arm_px(self) -> Distances:
        """From the line through middle knuckle and wrist; 0 everywhere for a palm seen end-on."""
        wrist, palm = self.joints_px[WRIST], self.joints_px[MIDDLE_KNUCKLE] - self.joints_px[WRIST]
        length = np.linalg.norm(palm)
        if not np.isfinite(length) or length < 1.0:
            return np.zeros((self.height, self.width))
        x, y = np.arange(self.width) + 0.5, np.arange(self.height)[:, None] + 0.5
        return np.abs((x - wrist[0]) * palm[1] - (y - wrist[1]) * palm[0]) / length


def largest_px(hands: Sequence[HandInView]) -> float:
    """Length of the largest hand."""
    return max(hand.length_px for hand in hands)


def forearms(hands: Sequence[HandInView], arms_behind: Collection[tuple[int, int]], margin: float) -> Region:
    """Where forearms may be seen, which no model explains.

    Every pixel belongs to the surroundings of the hand whose bones are nearest. There the forearm of that hand may
    be anywhere in the half-plane past its wrist; the forearm of another one only where an arm may be, within a
    quarter of the hand's length of the line from its middle knuckle through its wrist.

    Args:
        arms_behind: (k, j) where the arm of hand k passes behind hand j, so that it cannot hide that one.
        margin: as of `handrefine.regions.beyond_wrist`.
    """
    nearest_px = np.minimum.reduce([hand.from_bones_px for hand in hands])
    unexplained = np.zeros(nearest_px.shape, bool)
    for k, hand in enumerate(hands):
        past = regions.beyond_wrist(hand.joints_px, hand.height, hand.width, margin=margin)
        own = past & ((hand.from_bones_px <= nearest_px) | (hand.from_arm_px <= FOREARM * hand.length_px))
        for j, before in enumerate(hands):
            if (k, j) in arms_behind:
                own &= before.from_body_px > FLESH * largest_px(hands)
        unexplained |= own
    return unexplained


def owners(hands: Sequence[HandInView], skin: Region) -> Int8[np.ndarray, "height width"]:
    """The hand whose skin a pixel certainly shows, -1 elsewhere; of a single hand -1 everywhere, since then there
    is no other whose coverage would have to be told from its own."""
    owner = np.full(skin.shape, -1, np.int8)
    if len(hands) > 1:
        for k in range(len(hands)):
            others = [other.from_body_px for j, other in enumerate(hands) if j != k]
            owner[skin & (np.minimum.reduce(others) > CLEAR * largest_px(hands))] = k
    return owner

"""What is known of every pixel when both hands are modelled: skin of either, of which one, or neither.

The other hand is then nothing unknown. What lies beyond its wrist still is, and so is the forearm where it passes
behind or before the other hand.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int8

from handrefine import regions
from handrefine.preprocess.masks.labels import (
    HAND,
    UNKNOWN,
    Image,
    LabelImage,
    LabelSettings,
    Region,
    banded,
    joints_outside,
    label_image,
    label_without_mask,
)
from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST

#: Half-width of a forearm or sleeve, as a share of the hand's length.
FOREARM = 0.25
#: How far from the other hand's palm and bones skin must be to be certainly this hand's, as a share of the larger
#: hand's length: about 3 cm, the flesh around a bone and what an annotation may be off. To be nearer to one hand's
#: bones is not enough, since a hand that is hidden has bones in the picture, too.
CLEAR = 0.17

#: Flesh around palm and bones that is certainly the hand's, though the annotation is off; a share as above.
FLESH = 0.03
_PALM = [JOINT_NAMES.index(name) for name in ("wrist", "thumb1", "index1", "middle1", "ring1", "pinky1")]

Joints = Float[np.ndarray, "21 2"]


@dataclass(frozen=True, eq=False)
class TwoHandLabels:
    """Labels of both hands together, where HAND is the skin of either.

    owner: 0 or 1 where the skin of a HAND pixel is certainly that hand's, else -1.
    """

    labels: LabelImage
    owner: Int8[np.ndarray, "height width"]


def label_two_hands(
    image: Image,
    joints_px: tuple[Joints, Joints],
    *,
    mask: Region | None = None,
    excluded: Region | None = None,
    arm_is_behind: tuple[bool, bool] = (False, False),
    px_scale: int | float = 1.0,
    settings: LabelSettings | None = None,
) -> TwoHandLabels:
    """Label one view of two hands; arguments as of `handrefine.preprocess.masks.labels.make_labels`.

    arm_is_behind: of every hand, whether its arm passes behind the other hand, so that it cannot hide that one.

    Every pixel belongs to the surroundings of the hand whose bones are nearer. There the forearm of that hand is
    unknown, in the half-plane past its wrist; the forearm of the other one only where an arm may be, within a
    quarter of the hand's length of the line from its middle knuckle through its wrist.
    """
    chosen = settings or LabelSettings()
    height, width = image.shape[:2]
    near_px = [regions.distance_px(regions.bones(joints, height, width)) for joints in joints_px]
    lengths_px = [regions.hand_length_px(joints) for joints in joints_px]
    hulls = [regions.convex_hull(joints, height, width) for joints in joints_px]
    away_px = np.minimum(*(regions.distance_px(hull) for hull in hulls))
    bodies_px = [_from_body_px(joints, height, width) for joints in joints_px]
    unexplained = np.zeros((height, width), bool) if excluded is None else excluded.copy()
    if chosen.forearm:
        for k in (0, 1):
            past = regions.beyond_wrist(joints_px[k], height, width, margin=chosen.forearm_margin)
            arm = _along_palm(joints_px[k], height, width) <= FOREARM * lengths_px[k]
            hidden = bodies_px[1 - k] <= FLESH * max(lengths_px) if arm_is_behind[k] else False
            unexplained |= past & ((near_px[k] <= near_px[1 - k]) | arm) & ~np.asarray(hidden)

    if mask is not None:
        label = banded(mask, chosen.mask_margin_px)
        label[mask & (away_px > chosen.reach * max(lengths_px))] = UNKNOWN
        for joints, length_px in zip(joints_px, lengths_px, strict=True):
            missed = joints_outside(mask, joints, chosen.missing * length_px)
            if missed.any():
                gap = regions.bones(joints, height, width, of_joints=missed)
                label[~mask & regions.dilated(gap, chosen.missing * length_px)] = UNKNOWN
    else:
        label = label_without_mask(image, chosen)
    label[unexplained] = UNKNOWN
    near = away_px <= chosen.near_px * px_scale
    labels = label_image(image, label, unexplained, near, chosen, has_mask=mask is not None)
    owner = np.full((height, width), -1, np.int8)
    for k in (0, 1):
        owner[(label == HAND) & (bodies_px[1 - k] > CLEAR * max(lengths_px))] = k
    return TwoHandLabels(labels, owner)


def _from_body_px(joints_px: Joints, height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """Distance in pixels from the palm and the bones."""
    palm = regions.convex_hull(joints_px[_PALM], height, width)
    return regions.distance_px(palm | regions.bones(joints_px, height, width))


def _along_palm(joints_px: Joints, height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """Distance in pixels from the line through middle knuckle and wrist; 0 everywhere for a palm seen end-on."""
    wrist, palm = joints_px[WRIST], joints_px[MIDDLE_KNUCKLE] - joints_px[WRIST]
    length = np.linalg.norm(palm)
    if not np.isfinite(length) or length < 1.0:
        return np.zeros((height, width))
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    return np.abs((x - wrist[0]) * palm[1] - (y - wrist[1]) * palm[0]) / length

"""What is known of every pixel: hand, not hand, or unknown; and what colour it should have.

Whatever the model cannot explain is unknown and never pulls the fit: the forearm, the other hand, black borders
left by undistortion, and, when nothing tells what lies behind the hand, everything far from it.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int8

from handrefine import regions
from handrefine.colour import srgb_to_linear

HAND, NOT_HAND, UNKNOWN = 1, 0, -1
#: Brightest value of any channel (linear) that still counts as a border's black: 4/255 in sRGB.
BORDER_BLACK = 0.0012
#: The same for a background known to be black; above it lies what JPEG leaves around a hand.
BACKGROUND_BLACK = 0.006
#: sRGB value at which a channel counts as saturated.
SATURATED_SRGB = 0.98

Background = Literal["black", "unknown"]
Image = Float[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """How labels are drawn. Pixels are those of the full image, shares are of the hand's projected length.

    background: what lies behind the hand. Over black the image itself says at every pixel what should be seen, and
        a mask speaks for the silhouette only; behind an unknown background a mask is all that is known.
    forearm: whether what lies beyond the wrist is unknown; a hand cut at the wrist over black needs no such care.
    forearm_margin: the border's way past the wrist, as a share of the palm's length; negative is into the hand.
    other_hand_px: growth of the hull of the other hand's joints.
    mask_margin_px: half-width of the unknown band along a mask's contour, in pixels of the labelled image.
    near_px: growth of the hull of this hand's joints; without a mask, what lies outside of it is unknown.
    reach: share within which a mask's skin may belong to this hand.
    missing: share; a joint this far outside the mask means that the mask misses that part of the hand.
    """

    background: Background = "unknown"
    forearm: bool = True
    forearm_margin: float = 0.0
    other_hand_px: int | float = 15
    mask_margin_px: int | float = 0
    near_px: int | float = 25
    reach: float = 0.25
    missing: float = 0.1


@dataclass(frozen=True, eq=False)
class LabelImage:
    """What one view says.

    label: HAND, NOT_HAND or UNKNOWN, for the silhouette term.
    colour_valid: where colours are compared: known pixels that are not saturated.
    target: linear RGB to compare with; black where it is certainly not the hand.
    background: linear RGB to put behind the rendered hand. Where nothing is known it is the image itself: the
        difference there is then coverage times (hand - image), zero wherever no hand is rendered.
    background_known: False in the latter case.
    """

    label: Int8[np.ndarray, "height width"]
    colour_valid: Region
    target: Image
    background: Image
    background_known: bool


def make_labels(
    image: Image,
    joints_px: Float[np.ndarray, "21 2"],
    *,
    mask: Region | None = None,
    other_joints_px: Float[np.ndarray, "21 2"] | None = None,
    excluded: Region | None = None,
    px_scale: int | float = 1.0,
    settings: LabelSettings | None = None,
) -> LabelImage:
    """Label one view of one hand.

    Args:
        image: linear RGB, of the full image or of a crop window.
        joints_px: this hand's joints in the same pixels, by the annotation that is to be refined.
        mask: True where a pixel shows skin (of any hand or forearm).
        other_joints_px: the other hand's joints where there is one.
        excluded: pixels to be left unknown besides: `black_border` of the full image, what lies outside of it.
        px_scale: pixels of `image` a pixel of the full image.
    """
    chosen = settings or LabelSettings()
    height, width = image.shape[:2]
    hull = regions.convex_hull(joints_px, height, width)
    away_px = regions.distance_px(hull)
    unexplained = np.zeros((height, width), bool) if excluded is None else excluded.copy()
    if chosen.forearm:
        unexplained |= regions.beyond_wrist(joints_px, height, width, margin=chosen.forearm_margin)
    if other_joints_px is not None:
        unexplained |= other_hand_region(other_joints_px, height, width, chosen.other_hand_px * px_scale)

    if mask is not None:
        label = _labels_of_mask(mask, joints_px, other_joints_px, away_px, chosen)
    else:
        label = label_without_mask(image, chosen)
    label[unexplained] = UNKNOWN
    near = away_px <= chosen.near_px * px_scale
    return label_image(image, label, unexplained, near, chosen, has_mask=mask is not None)


def label_without_mask(image: Image, settings: LabelSettings) -> Int8[np.ndarray, "height width"]:
    """What the image alone says: everything over black, nothing else."""
    if settings.background == "black":
        return _labels_over_black(image, settings.mask_margin_px)
    return np.full(image.shape[:2], UNKNOWN, np.int8)


def label_image(
    image: Image,
    label: Int8[np.ndarray, "height width"],
    unexplained: Region,
    near: Region,
    settings: LabelSettings,
    *,
    has_mask: bool,
) -> LabelImage:
    """What the labels mean for the colours.

    unexplained: what the model cannot explain.
    near: where colours count when neither mask nor background is known.
    """
    black = np.zeros_like(image)
    if settings.background == "black":
        comparable, target, background = ~unexplained, image, black
    elif has_mask:
        comparable, background = label != UNKNOWN, black
        target = np.where((label == NOT_HAND)[..., None], black, image)
    else:
        comparable, target, background = near & ~unexplained, image, image
    return LabelImage(label, comparable & ~saturated(image), target, background, background is black)


def other_hand_region(
    joints_px: Float[np.ndarray, "21 2"], height: int, width: int, margin_px: int | float
) -> Region:
    """The other hand's surroundings: the convex hull of its joints, grown."""
    return regions.dilated(regions.convex_hull(joints_px, height, width), margin_px)


def black_border(image: Image) -> Region:
    """Black regions that touch the image's border: what undistortion leaves. Give it the full image."""
    dark = (image.max(axis=2) <= BORDER_BLACK).astype(np.uint8)
    _, component = cv2.connectedComponents(dark, connectivity=4)
    rim = np.concatenate([component[0], component[-1], component[:, 0], component[:, -1]])
    return np.isin(component, np.unique(rim[rim > 0]))


def saturated(image: Image) -> Region:
    """Pixels of which a channel has reached the sensor's end, so that their colour is not that of the light."""
    return np.any(image >= srgb_to_linear(np.array(SATURATED_SRGB)), axis=2)


def is_black_background(
    image: Image, *joints_px: Float[np.ndarray, "21 2"], px_scale: int | float = 1.0, near_px: int | float = 25
) -> bool:
    """Whether nearly everything (99 %) outside the hulls of the hands' joints, grown by `near_px`, is black.

    Small hands' hulls grow by less, 20 % of the hand's length. What lies beyond a wrist is not asked: there may be
    a forearm. False where the view is too tight to tell. Ask it of all views of a video and believe the majority.
    """
    height, width = image.shape[:2]
    asked = np.ones((height, width), bool)
    for joints in joints_px:
        margin_px = min(near_px * px_scale, 0.2 * regions.hand_length_px(joints))
        asked &= regions.distance_px(regions.convex_hull(joints, height, width)) > margin_px
        asked &= ~regions.beyond_wrist(joints, height, width)
    outside = image.max(axis=2)[asked]
    return outside.size >= 64 and float((outside <= BACKGROUND_BLACK).mean()) >= 0.99


def _labels_of_mask(
    mask: Region,
    joints_px: np.ndarray,
    other_joints_px: np.ndarray | None,
    away_px: np.ndarray,
    settings: LabelSettings,
) -> Int8[np.ndarray, "height width"]:
    """A rough skin mask as labels of one hand: its skin elsewhere and its evident gaps are unknown."""
    height, width = mask.shape
    length = regions.hand_length_px(joints_px)
    label = banded(mask, settings.mask_margin_px)
    label[mask & (away_px > settings.reach * length)] = UNKNOWN
    if other_joints_px is not None:
        own = regions.distance_px(regions.bones(joints_px, height, width))
        other = regions.distance_px(regions.bones(other_joints_px, height, width))
        label[mask & (other < own)] = UNKNOWN
    missed = joints_outside(mask, joints_px, settings.missing * length)
    if missed.any():
        gap = regions.bones(joints_px, height, width, of_joints=missed)
        label[~mask & regions.dilated(gap, settings.missing * length)] = UNKNOWN
    return label


def _labels_over_black(image: Image, margin_px: int | float) -> Int8[np.ndarray, "height width"]:
    """Light is hand and black is not. The outermost lit pixels may be covered by any share: a hand that had to
    cover them whole would grow by half a pixel, so they are unknown here, and their brightness says the rest."""
    lit = image.max(axis=2) > BACKGROUND_BLACK
    label = banded(lit, margin_px)
    label[lit & (regions.distance_px(~lit) < 1.5)] = UNKNOWN
    return label


def joints_outside(mask: Region, joints_px: np.ndarray, further_than_px: int | float) -> Bool[np.ndarray, "21"]:
    """Joints within the image and further from the mask than an imperfect annotation explains."""
    height, width = mask.shape
    away_px = regions.distance_px(mask)
    index = np.floor(np.nan_to_num(joints_px, nan=-1.0, posinf=-1.0, neginf=-1.0)).astype(int)
    inside = (index >= 0).all(axis=1) & (index[:, 0] < width) & (index[:, 1] < height)
    outside = np.zeros(21, bool)
    outside[inside] = away_px[index[inside, 1], index[inside, 0]] > further_than_px
    return outside


def banded(mask: Region, margin_px: int | float) -> Int8[np.ndarray, "height width"]:
    """HAND inside, NOT_HAND outside, UNKNOWN within `margin_px` on either side of the contour (0: no band)."""
    label = mask.astype(np.int8)
    if margin_px > 0:
        label[mask & (regions.distance_px(~mask) <= margin_px)] = UNKNOWN
        label[~mask & (regions.distance_px(mask) <= margin_px)] = UNKNOWN
    return label

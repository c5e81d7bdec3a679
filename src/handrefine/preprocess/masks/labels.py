"""What is known of every pixel: hand, not hand, or unknown; and what colour it should have.

Whatever the model cannot explain is unknown and never pulls the fit: forearms, hands that are not modelled, black
borders left by undistortion, and, when nothing tells what lies behind the hands, everything far from them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int8
from pydantic import ConfigDict, NonNegativeInt
from pydantic import dataclasses as typed

from handrefine import regions
from handrefine.preprocess.masks.black_background import BACKGROUND_BLACK
from handrefine.preprocess.masks.fitted_hands import FittedView
from handrefine.preprocess.masks.sensor_range import clipped_channels
from handrefine.preprocess.masks.several_hands import HandInView, forearms, largest_px, owners

HAND, NOT_HAND, UNKNOWN = 1, 0, -1
#: A mask's skin within this share of a hand's length may belong to the hand.
REACH = 0.25
#: A joint outside the mask by this share of the hand's length means that the mask misses that part of the hand.
MISSING = 0.1

Image = Float[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]
Labels = Int8[np.ndarray, "height width"]
Joints = Float[np.ndarray, "21 2"]


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LabelConfig:
    source: Literal["auto", "masks", "segment", "plate", "none"] = "auto"
    """What tells skin from the rest. masks: those given. segment: colours (GrabCut), learned where the annotation
    puts the hands. plate: the camera's empty background, from the frames at which the hand is elsewhere.
    none: nothing does. auto: masks, reconciled with colours if rough, where there are any, else segment. Over
    black, the image itself tells."""
    check_masks: bool = True
    """Where colours contradict a given mask, believe what edges of the image bear out, or nothing; only if masks
    follow edges less than colours do on the whole (`mask_source.ROUGH`)."""
    objects: Literal["auto", "given", "none"] = "given"
    """Things in or before the hand, which are left unknown. given: where the dataset shows them. auto: those, and
    what looks unlike skin and unlike the background beside the hand. none: nothing is."""
    background: Literal["auto", "black", "unknown"] = "auto"
    """What lies behind the hand. auto: black where the images say so, else unknown."""
    forearm: bool = True
    """Leave what lies beyond the wrist unknown; switch it off where images show a hand cut at the wrist."""
    forearm_margin: float = 0.0
    """Where the unknown forearm begins: past the wrist by this share of the palm's length."""
    other_hand_px: NonNegativeInt = 15
    """Pixels (of the full image) by which the other hand's joint hull grows before it becomes unknown."""
    mask_margin_px: NonNegativeInt = 0
    """Half-width of the band around a mask's contour that is unknown, for rough masks."""
    near_px: NonNegativeInt = 25
    """Where nothing tells skin from background: pixels further than this from the projected start are unknown."""
    clipped: Literal["bound", "nothing"] = "bound"
    """What a channel at the end of the sensor's range says of its colour: bound, that the light is at least (at
    the lower end at most) this much; nothing leaves saturated pixels out."""


@dataclass(frozen=True, eq=False)
class ViewToLabel:
    """One view before it is labelled; all pixels are those of `image`, at the full image's resolution.

    Attributes:
        image: linear RGB, of the full image or of a crop window.
        hands_px: joints of the modelled hands that are there, one at least, by the annotation to be refined.
        others_px: joints of hands that are there without being modelled.
        mask: True where a pixel shows skin (of any hand or forearm); None where nothing tells it.
        rough: the mask may lack a part of a hand, as given ones do and those told by colours do not.
        excluded: pixels to be left unknown besides: `black_border` of the full image, what lies outside of it.
        arms_behind: (k, j) where the arm of `hands_px[k]` passes behind hand j, so that it cannot hide that one.
        fitted: what the hands' surfaces say where they roughly fit; None where they are only annotated.
    """

    image: Image
    hands_px: Sequence[Joints]
    others_px: Sequence[Joints] = ()
    mask: Region | None = None
    rough: bool = True
    excluded: Region | None = None
    arms_behind: Collection[tuple[int, int]] = ()
    fitted: FittedView | None = None


@dataclass(frozen=True, eq=False)
class LabelImage:
    """What one view says.

    label: HAND, NOT_HAND or UNKNOWN, for the silhouette term; HAND is the skin of any modelled hand.
    colour_valid: where colours are compared: known pixels.
    target: linear RGB to compare with; black where it is certainly not the hand.
    background: linear RGB to put behind the rendered hand. Where nothing is known it is the image itself: the
        difference there is then coverage times (hand - image), zero wherever no hand is rendered.
    background_known: False in the latter case.
    owner: the modelled hand whose skin a pixel certainly shows, else -1; see `several_hands.owners`.
    clipped: of every channel of the target whether it is a lower (1) or an upper (-1) bound, or just it (0).
    """

    label: Labels
    colour_valid: Region
    target: Image
    background: Image
    background_known: bool
    owner: Labels
    clipped: Int8[np.ndarray, "height width 3"]


def make_labels(view: ViewToLabel, config: LabelConfig, *, over_black: bool = False) -> LabelImage:
    """Label one view.

    over_black: what lies behind the hands is known to be black. The image itself then says at every pixel what
        should be seen, and a mask speaks for the silhouette only; else a mask is all that is known.
    """
    height, width = view.image.shape[:2]
    hands, others = ([HandInView(px, height, width) for px in of] for of in (view.hands_px, view.others_px))
    unexplained = np.zeros((height, width), bool) if view.excluded is None else view.excluded.copy()
    if config.forearm:
        unexplained |= _forearms(view, hands, config.forearm_margin)
    for other in others:
        unexplained |= other.from_hull_px <= config.other_hand_px
    if view.mask is not None:
        label = _labels_of_mask(view.mask, hands, others, config.mask_margin_px, rough=view.rough)
    elif over_black:
        label = _labels_over_black(view.image, config.mask_margin_px)
    else:
        label = np.full((height, width), UNKNOWN, np.int8)
    label[unexplained] = UNKNOWN
    black = np.zeros_like(view.image)
    if over_black:
        comparable, target, background = ~unexplained, view.image, black
    elif view.mask is not None:
        comparable, background = label != UNKNOWN, black
        target = np.where((label == NOT_HAND)[..., None], black, view.image)
    else:
        near = _nearest_px([hand.from_hull_px for hand in hands]) <= config.near_px
        comparable, target, background = near & ~unexplained, view.image, view.image
    clipped = clipped_channels(target)
    if config.clipped == "nothing":
        comparable &= ~(clipped_channels(view.image) > 0).any(axis=2)
        clipped[:] = 0
    return LabelImage(
        label,
        comparable,
        target,
        background,
        background is black,
        owners(hands, label == HAND) if view.fitted is None else view.fitted.owners(label == HAND),
        clipped,
    )


def _forearms(view: ViewToLabel, hands: Sequence[HandInView], margin: float) -> Region:
    """What may be forearm or sleeve; beside fitted hands, which end at the wrist, only skin may be."""
    if view.fitted is None:
        return forearms(hands, view.arms_behind, margin)
    if view.mask is None:
        return view.fitted.arm
    return view.fitted.cuff | (view.fitted.arm & view.mask)


def _labels_of_mask(
    mask: Region, hands: Sequence[HandInView], others: Sequence[HandInView], margin_px: int, *, rough: bool
) -> Labels:
    """A skin mask as labels of the modelled hands: skin elsewhere is unknown, and evident gaps of a rough mask."""
    label = _banded(mask, margin_px)
    label[mask & (_nearest_px([hand.from_hull_px for hand in hands]) > REACH * largest_px(hands))] = UNKNOWN
    if others:
        own, other = (_nearest_px([hand.from_bones_px for hand in of]) for of in (hands, others))
        label[mask & (other < own)] = UNKNOWN
    for hand in hands if rough else ():
        gap_px = MISSING * hand.length_px
        missed = _joints_outside(mask, hand.joints_px, gap_px)
        if missed.any():
            gap = regions.bones(hand.joints_px, hand.height, hand.width, of_joints=missed)
            label[~mask & regions.dilated(gap, gap_px)] = UNKNOWN
    return label


def _nearest_px(distances_px: Sequence[Float[np.ndarray, "height width"]]) -> Float[np.ndarray, "height width"]:
    return np.minimum.reduce(list(distances_px))


def _labels_over_black(image: Image, margin_px: int) -> Labels:
    """Light is hand and black is not. The outermost lit pixels may be covered by any share: a hand that had to
    cover them whole would grow by half a pixel, so they are unknown here, and their brightness says the rest."""
    lit = image.max(axis=2) > BACKGROUND_BLACK
    label = _banded(lit, margin_px)
    label[lit & (regions.distance_px(~lit) < 1.5)] = UNKNOWN
    return label


def _joints_outside(mask: Region, joints_px: Joints, further_than_px: float) -> Bool[np.ndarray, "21"]:
    """Joints within the image and further from the mask than an imperfect annotation explains."""
    return regions.values_at(regions.distance_px(mask), joints_px, 0.0) > further_than_px


def _banded(mask: Region, margin_px: int) -> Labels:
    """HAND inside, NOT_HAND outside, UNKNOWN within `margin_px` on either side of the contour (0: no band)."""
    label = mask.astype(np.int8)
    if margin_px > 0:
        label[mask & (regions.distance_px(~mask) <= margin_px)] = UNKNOWN
        label[~mask & (regions.distance_px(mask) <= margin_px)] = UNKNOWN
    return label

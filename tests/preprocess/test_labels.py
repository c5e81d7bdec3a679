"""Labels: what the model cannot explain never pulls the fit."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from handrefine import regions
from handrefine.preprocess.masks.black_background import black_border, is_black_background
from handrefine.preprocess.masks.labels import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    LabelConfig,
    LabelImage,
    ViewToLabel,
    make_labels,
)

HEIGHT, WIDTH = 200, 240
PLAIN = LabelConfig(mask_margin_px=0)


def upright_hand(wrist_x: float = 100.0, wrist_y: float = 150.0, scale: float = 1.0) -> np.ndarray:
    """21 joints of a flat hand that points up the image; the middle finger's tip is 100 px above the wrist."""
    joints = [(0.0, 0.0)]
    for k in range(5):
        joints += [(20.0 * (k - 2), -(40.0 + 20 * j)) for j in range(4)]
    return np.array(joints) * scale + np.array([wrist_x, wrist_y])


def grey_image(value: float = 0.3) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.float32)


def hand_mask(joints: np.ndarray) -> np.ndarray:
    return regions.dilated(regions.bones(joints, HEIGHT, WIDTH), 6)


def one_hand(
    image: np.ndarray,
    joints: np.ndarray,
    *,
    config: LabelConfig = PLAIN,
    other_px: np.ndarray | None = None,
    over_black: bool = False,
    **seen: np.ndarray,
) -> LabelImage:
    others = [] if other_px is None else [other_px]
    return make_labels(ViewToLabel(image, [joints], others, **seen), config, over_black=over_black)


def test_mask_says_hand_and_not_hand():
    joints = upright_hand()
    mask = hand_mask(joints)
    labels = one_hand(grey_image(), joints, mask=mask, config=replace(PLAIN, forearm=False))
    assert np.array_equal(labels.label == HAND, mask)
    assert np.array_equal(labels.label == NOT_HAND, ~mask)
    assert labels.colour_valid.all()
    assert np.array_equal(labels.target[..., 0], np.where(mask, np.float32(0.3), np.float32(0)))
    assert (labels.background == 0).all()
    assert labels.background_known


def test_beyond_the_wrist_is_unknown_and_the_margin_moves_the_border():
    joints = upright_hand()
    mask = hand_mask(joints)
    mask[150:, 90:110] = True
    labels = one_hand(grey_image(), joints, mask=mask)
    assert (labels.label[150:] == UNKNOWN).all()
    assert not labels.colour_valid[150:].any()
    assert (labels.label[:150] != UNKNOWN).all()
    later = one_hand(grey_image(), joints, mask=mask, config=replace(PLAIN, forearm_margin=0.5))
    assert (later.label[150:170] != UNKNOWN).all()
    assert (later.label[170:] == UNKNOWN).all()
    earlier = one_hand(grey_image(), joints, mask=mask, config=replace(PLAIN, forearm_margin=-0.5))
    assert (earlier.label[130:] == UNKNOWN).all()


def test_the_other_hands_surroundings_are_unknown():
    joints, other = upright_hand(70), upright_hand(200, scale=0.5)
    mask = hand_mask(joints)
    for config, radius in ((PLAIN, 15.0), (replace(PLAIN, other_hand_px=6), 6.0)):
        labels = one_hand(grey_image(), joints, mask=mask, other_px=other, config=config)
        hull = regions.convex_hull(other, HEIGHT, WIDTH)
        above = regions.distance_px(hull)[:150]
        assert (labels.label[:150][above <= radius] == UNKNOWN).all()
        assert (labels.label[:150][above > radius] != UNKNOWN).all()


def test_skin_nearer_to_the_other_hand_is_unknown():
    joints, other = upright_hand(60), upright_hand(170)
    mask = hand_mask(joints)
    mask[60:150, 60:150] = True
    config = replace(PLAIN, other_hand_px=0)
    labels = one_hand(grey_image(), joints, mask=mask, other_px=other, config=config)
    assert labels.label[100, 112] == HAND
    assert labels.label[100, 118] == UNKNOWN


def test_skin_out_of_reach_is_unknown():
    joints = upright_hand(60)
    mask = hand_mask(joints)
    mask[80:100, 200:230] = True
    labels = one_hand(grey_image(), joints, mask=mask)
    assert (labels.label[80:100, 200:230] == UNKNOWN).all()
    assert labels.label[80, 170] == NOT_HAND


def test_a_finger_that_the_mask_lacks_is_unknown_but_a_small_offset_is_not_a_gap():
    joints = upright_hand()
    kept = joints.copy()
    kept[18:] = np.nan
    labels = one_hand(grey_image(), joints, mask=hand_mask(kept))
    tip = joints[20].astype(int)
    assert labels.label[tip[1], tip[0]] == UNKNOWN
    assert labels.label[tip[1], tip[0] + 40] == NOT_HAND
    by_colours = make_labels(ViewToLabel(grey_image(), [joints], mask=hand_mask(kept), rough=False), PLAIN)
    assert by_colours.label[tip[1], tip[0]] == NOT_HAND  # the annotation has the finger in the wrong place
    shifted = one_hand(grey_image(), joints + np.array([9.0, 0.0]), mask=hand_mask(joints))
    assert (shifted.label[:150] != UNKNOWN).all()


def test_margin_makes_a_band_along_the_masks_contour():
    joints = upright_hand()
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:150, 60:140] = True
    row = one_hand(grey_image(), joints, mask=mask, config=replace(PLAIN, mask_margin_px=2)).label[100]
    assert (row[58:62] == UNKNOWN).all()
    assert row[57] == NOT_HAND
    assert row[62] == HAND


def test_without_a_mask_only_the_hands_neighbourhood_is_compared_and_nothing_shrinks_it():
    joints = upright_hand()
    image = grey_image()
    labels = one_hand(image, joints, config=replace(PLAIN, near_px=20))
    away = regions.distance_px(regions.convex_hull(joints, HEIGHT, WIDTH))[:150]
    assert (labels.label == UNKNOWN).all()
    assert np.array_equal(labels.colour_valid[:150], away <= 20)
    assert np.array_equal(labels.background, image)
    assert not labels.background_known


def test_a_known_black_background_is_compared_everywhere():
    joints = upright_hand()
    image = grey_image() * hand_mask(joints)[..., None]
    labels = one_hand(image, joints, config=replace(PLAIN, forearm=False), over_black=True)
    assert labels.colour_valid.all()
    # The outermost lit pixels may be covered in part: they are neither hand nor background.
    inside = regions.distance_px(~hand_mask(joints)) >= 1.5
    assert np.array_equal(labels.label == HAND, inside)
    assert np.array_equal(labels.label == UNKNOWN, hand_mask(joints) & ~inside)
    assert (labels.background == 0).all()
    assert np.array_equal(labels.target, image)
    assert is_black_background(image, [joints])
    assert not is_black_background(grey_image(), [joints])
    assert not is_black_background(image[60:140, 80:120], [joints - np.array([80, 60])])


def test_a_thing_in_the_hand_does_not_hide_that_the_background_is_black():
    joints = upright_hand()
    hand = hand_mask(joints)
    middle, across = int(joints[9, 1]), np.zeros((HEIGHT, WIDTH), bool)
    across[middle - 5 : middle + 5, : WIDTH - 10] = True
    held = grey_image() * (hand | across)[..., None]
    assert not is_black_background(held, [joints])
    assert is_black_background(held, [joints], things=True)
    assert not is_black_background(grey_image(), [joints], things=True)
    elsewhere = np.zeros((HEIGHT, WIDTH), bool)
    elsewhere[5:25, 5:45] = True  # touches no hand: something of the background
    assert not is_black_background(grey_image() * (hand | elsewhere)[..., None], [joints], things=True)


@pytest.mark.parametrize("clipped", ["bound", "nothing"])
def test_saturated_pixels_keep_their_label_and_say_as_much_as_configured(clipped: Literal["bound", "nothing"]):
    joints = upright_hand()
    image = grey_image()
    image[80:90, 95:105, 1] = 0.97
    labels = one_hand(image, joints, config=replace(PLAIN, clipped=clipped), mask=hand_mask(joints))
    assert (labels.label[80:90, 100] == HAND).all()
    assert labels.colour_valid[80:90, 100].all() == (clipped == "bound")
    at_least = labels.clipped[80:90, 100] > 0
    assert at_least[:, 1].all() == (clipped == "bound")
    assert not at_least[:, [0, 2]].any()


def test_border_is_black_that_touches_the_rim():
    image = grey_image()
    image[:12] = 0.0005
    image[100:110, 100:110] = 0.0
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[:12] = True
    assert np.array_equal(black_border(image), expected)
    joints = upright_hand()
    labels = one_hand(image, joints, mask=hand_mask(joints), excluded=black_border(image))
    assert (labels.label[:12] == UNKNOWN).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9])
def test_joints_outside_of_everything_do_no_harm(bad: float):
    joints = upright_hand()
    joints[5:9] = bad
    labels = one_hand(grey_image(), joints, mask=hand_mask(upright_hand()))
    assert (labels.label == HAND).any()


def test_a_palm_seen_end_on_leaves_no_half_plane():
    joints = upright_hand()
    joints[9] = joints[0]
    assert not regions.beyond_wrist(joints, HEIGHT, WIDTH).any()

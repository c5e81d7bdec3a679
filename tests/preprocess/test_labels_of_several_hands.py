"""Labels of several modelled hands: whose skin is whose, and what of the arms stays unknown."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from handrefine import regions
from handrefine.preprocess.masks.black_background import is_black_background
from handrefine.preprocess.masks.labels import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    LabelConfig,
    LabelImage,
    ViewToLabel,
    make_labels,
)

HEIGHT, WIDTH = 220, 320
PLAIN = LabelConfig(mask_margin_px=0)
NO_ARMS = replace(PLAIN, forearm=False)


def upright_hand(wrist_x: float, wrist_y: float = 160.0) -> np.ndarray:
    """21 joints of a flat hand that points up the image; it is 100 px long and 80 px wide."""
    joints = [(0.0, 0.0)]
    for k in range(5):
        joints += [(20.0 * (k - 2), -(40.0 + 20 * j)) for j in range(4)]
    return np.array(joints) + np.array([wrist_x, wrist_y])


def skin(*hands: np.ndarray) -> np.ndarray:
    return regions.dilated(np.any([regions.bones(joints, HEIGHT, WIDTH) for joints in hands], axis=0), 6)


def picture(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], np.float32(0.3), np.float32(0)).repeat(3, axis=-1)


def label(
    image: np.ndarray,
    hands: Sequence[np.ndarray],
    config: LabelConfig = PLAIN,
    *,
    mask: np.ndarray | None = None,
    arms_behind: Sequence[tuple[int, int]] = (),
    over_black: bool = False,
) -> LabelImage:
    view = ViewToLabel(image, hands, mask=mask, arms_behind=arms_behind)
    return make_labels(view, config, over_black=over_black)


def test_every_hand_owns_its_skin_where_the_other_is_far() -> None:
    hands = upright_hand(80), upright_hand(230)
    mask = skin(*hands)
    found = label(picture(mask), hands, NO_ARMS, mask=mask)
    assert np.array_equal(found.label == HAND, mask)
    assert (found.label[~mask] == NOT_HAND).all()
    for k, joints in enumerate(hands):
        assert (found.owner[skin(joints)] == k).all()
    assert (found.owner[~mask] == -1).all()
    assert found.colour_valid.all()


def test_three_hands_are_labelled_as_two_are() -> None:
    """A list of hands has any length; a single one owns nothing, as nothing is to be told from it."""
    hands = [upright_hand(50), upright_hand(160), upright_hand(270)]
    mask = skin(*hands)
    found = label(picture(mask), hands, NO_ARMS, mask=mask)
    assert np.array_equal(found.label == HAND, mask)
    for k, joints in enumerate(hands):
        assert (found.owner[skin(joints)] == k).all()
    alone = label(picture(skin(hands[0])), hands[:1], NO_ARMS, mask=skin(hands[0]))
    assert np.array_equal(alone.label == HAND, skin(hands[0]))
    assert (alone.owner == -1).all()


def test_skin_where_hands_overlap_is_either_ones() -> None:
    hands = upright_hand(140), upright_hand(150)
    mask = skin(*hands)
    found = label(picture(mask), hands, NO_ARMS, mask=mask)
    assert (found.owner == -1).all()
    assert np.array_equal(found.label == HAND, mask)


def test_a_hidden_finger_does_not_own_the_hand_before_it() -> None:
    """Its bones are nearer to the heel of the hand in front than that hand's own."""
    front, behind = upright_hand(150, 120), upright_hand(40, 190)
    behind[5:9] = np.linspace((70, 150), (175, 112), 4)  # the index finger ends beside the front hand's wrist
    heel = np.zeros((HEIGHT, WIDTH), bool)
    heel[100:120, 160:190] = True
    mask = skin(front) | heel
    found = label(picture(mask), (front, behind), NO_ARMS, mask=mask)
    assert not (found.owner[heel] == 1).any()
    assert (found.owner[skin(front)[:60].nonzero()] == 0).all()


def test_the_other_hand_is_no_longer_unknown() -> None:
    hands = upright_hand(80), upright_hand(200)
    mask = skin(*hands)
    alone = make_labels(ViewToLabel(picture(mask), hands[:1], hands[1:], mask), PLAIN)
    both = label(picture(mask), hands, mask=mask)
    of_other = skin(hands[1]) & ~regions.beyond_wrist(hands[1], HEIGHT, WIDTH)
    assert (alone.label[of_other] == UNKNOWN).all()
    assert (both.label[of_other] == HAND).all()
    assert both.colour_valid[of_other].all()


def test_forearms_are_unknown_and_hands_before_them_are_not() -> None:
    """One hand is held below the other one's wrist, beside its arm: half-planes alone would lose it."""
    above, below = upright_hand(100, 110), upright_hand(220, 210)
    mask = skin(above, below)
    arm = np.zeros_like(mask)
    arm[110:, 90:110] = True
    found = label(picture(mask | arm), (above, below), mask=mask | arm)
    assert (found.label[arm & regions.beyond_wrist(above, HEIGHT, WIDTH)] == UNKNOWN).all()
    assert not found.colour_valid[130:, 95:105].any()
    hand_below = skin(below) & ~regions.beyond_wrist(below, HEIGHT, WIDTH)
    assert (found.label[hand_below] == HAND).all()
    assert (found.label[:105][skin(above)[:105]] == HAND).all()


def test_a_hand_before_the_others_arm_is_known() -> None:
    """The arm of the hand above runs down the image, behind the hand below."""
    above, below = upright_hand(100, 90), upright_hand(110, 210)
    mask = skin(above, below)
    core = regions.bones(below, HEIGHT, WIDTH) & ~regions.beyond_wrist(below, HEIGHT, WIDTH)
    unsure, sure = (
        label(picture(mask), (above, below), mask=mask, arms_behind=behind) for behind in ((), [(0, 1)])
    )
    assert (unsure.label[core] == UNKNOWN).mean() > 0.5
    assert (sure.label[core] == HAND).all()
    assert (sure.label[210:] == UNKNOWN).all()


def test_over_black_the_image_itself_tells() -> None:
    hands = upright_hand(80), upright_hand(230)
    mask = skin(*hands)
    found = label(picture(mask), hands, NO_ARMS, over_black=True)
    certain = found.label != UNKNOWN
    assert np.array_equal(found.label == HAND, mask & certain)
    assert (found.label[~mask] == NOT_HAND).all()
    assert found.background_known
    assert is_black_background(picture(mask), hands)
    assert not is_black_background(picture(mask), hands[:1])
    small = cv2.resize(picture(mask), (80, 55), interpolation=cv2.INTER_AREA)
    assert is_black_background(small, [joints / 4 for joints in hands])

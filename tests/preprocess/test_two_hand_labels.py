"""Labels of two modelled hands: whose skin is whose, and what of the arms stays unknown."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from handrefine import regions
from handrefine.losses.silhouette import silhouette_loss
from handrefine.preprocess.masks.labels import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    LabelSettings,
    is_black_background,
    make_labels,
)
from handrefine.preprocess.masks.two_hands import label_two_hands

HEIGHT, WIDTH = 220, 320
PLAIN = LabelSettings(mask_margin_px=0)


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


def test_every_hand_owns_its_skin_where_the_other_is_far() -> None:
    hands = upright_hand(80), upright_hand(230)
    mask = skin(*hands)
    found = label_two_hands(picture(mask), hands, mask=mask, settings=replace(PLAIN, forearm=False))
    assert np.array_equal(found.labels.label == HAND, mask)
    assert (found.labels.label[~mask] == NOT_HAND).all()
    for k, joints in enumerate(hands):
        assert (found.owner[skin(joints)] == k).all()
    assert (found.owner[~mask] == -1).all()
    assert found.labels.colour_valid.all()


def test_skin_where_hands_overlap_is_either_ones() -> None:
    hands = upright_hand(140), upright_hand(150)
    mask = skin(*hands)
    found = label_two_hands(picture(mask), hands, mask=mask, settings=replace(PLAIN, forearm=False))
    assert (found.owner == -1).all()
    assert np.array_equal(found.labels.label == HAND, mask)


def test_a_hidden_finger_does_not_own_the_hand_before_it() -> None:
    """Its bones are nearer to the heel of the hand in front than that hand's own."""
    front, behind = upright_hand(150, 120), upright_hand(40, 190)
    behind[5:9] = np.linspace((70, 150), (175, 112), 4)  # the index finger ends beside the front hand's wrist
    heel = np.zeros((HEIGHT, WIDTH), bool)
    heel[100:120, 160:190] = True
    mask = skin(front) | heel
    found = label_two_hands(picture(mask), (front, behind), mask=mask, settings=replace(PLAIN, forearm=False))
    assert not (found.owner[heel] == 1).any()
    assert (found.owner[skin(front)[:60].nonzero()] == 0).all()


def test_the_other_hand_is_no_longer_unknown() -> None:
    hands = upright_hand(80), upright_hand(200)
    mask = skin(*hands)
    alone = make_labels(picture(mask), hands[0], mask=mask, other_joints_px=hands[1], settings=PLAIN)
    both = label_two_hands(picture(mask), hands, mask=mask, settings=PLAIN)
    of_other = skin(hands[1]) & ~regions.beyond_wrist(hands[1], HEIGHT, WIDTH)
    assert (alone.label[of_other] == UNKNOWN).all()
    assert (both.labels.label[of_other] == HAND).all()
    assert both.labels.colour_valid[of_other].all()


def test_forearms_are_unknown_and_hands_before_them_are_not() -> None:
    """One hand is held below the other one's wrist, beside its arm: half-planes alone would lose it."""
    above, below = upright_hand(100, 110), upright_hand(220, 210)
    mask = skin(above, below)
    arm = np.zeros_like(mask)
    arm[110:, 90:110] = True
    found = label_two_hands(picture(mask | arm), (above, below), mask=mask | arm, settings=PLAIN).labels
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
        label_two_hands(picture(mask), (above, below), mask=mask, arm_is_behind=behind, settings=PLAIN).labels
        for behind in ((False, False), (True, False))
    )
    assert (unsure.label[core] == UNKNOWN).mean() > 0.5
    assert (sure.label[core] == HAND).all()
    assert (sure.label[210:] == UNKNOWN).all()


def test_over_black_the_image_itself_tells() -> None:
    hands = upright_hand(80), upright_hand(230)
    mask = skin(*hands)
    settings = replace(PLAIN, background="black", forearm=False)
    found = label_two_hands(picture(mask), hands, settings=settings)
    certain = found.labels.label != UNKNOWN
    assert np.array_equal(found.labels.label == HAND, mask & certain)
    assert (found.labels.label[~mask] == NOT_HAND).all()
    assert found.labels.background_known
    assert is_black_background(picture(mask), *hands)
    assert not is_black_background(picture(mask), hands[0])
    small = cv2.resize(picture(mask), (80, 55), interpolation=cv2.INTER_AREA)
    assert is_black_background(small, *(joints / 4 for joints in hands))


def test_a_hand_that_covers_anothers_skin_is_pulled_off() -> None:
    """The silhouette term compares a pixel with its owner's coverage alone: the wrong hand does not serve."""
    share, weight = torch.ones(4), torch.ones(4)
    by_hand = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    owner = torch.tensor([0, 0, -1, -1])
    covered = torch.where(owner >= 0, by_hand[:, 0], by_hand.sum(dim=1))
    assert silhouette_loss(covered, share, weight).item() == pytest.approx(0.5)

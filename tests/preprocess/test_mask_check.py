"""Of a mask and a segmentation that contradict each other, the one is believed that the edges bear out."""

import cv2
import numpy as np
import pytest

from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN
from handrefine.preprocess.masks.mask_check import reconciled

HEIGHT, WIDTH, LENGTH = 160, 160, 120.0


def hand() -> np.ndarray:
    """A palm with two fingers."""
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[80:140, 40:110] = True
    region[20:80, 45:65] = True
    region[20:80, 80:100] = True
    return region


def picture_of(region: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 3, (*region.shape, 3))
    return np.clip(np.where(region[..., None], (205, 150, 125), (60, 120, 90)) + noise, 0, 255).astype(np.uint8)


def labels_of(region: np.ndarray) -> np.ndarray:
    return np.where(region, HAND, NOT_HAND).astype(np.int8)


def grown(region: np.ndarray, by: int) -> np.ndarray:
    operation = cv2.dilate if by > 0 else cv2.erode
    side = 2 * abs(by) + 1
    return operation(region.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


TRUE = hand()
PICTURE = picture_of(TRUE)


def test_a_mask_that_agrees_is_believed():
    assert np.array_equal(reconciled(TRUE, PICTURE, labels_of(TRUE), LENGTH), labels_of(TRUE))


def test_a_missing_finger_is_taken_from_the_colours():
    mask = TRUE.copy()
    mask[:60, 80:100] = False
    assert np.array_equal(reconciled(mask, PICTURE, labels_of(TRUE), LENGTH), labels_of(TRUE))


@pytest.mark.parametrize("by", [4, -4])
def test_a_mask_that_is_too_fat_or_too_thin_gives_way_along_its_contour(by: int):
    mask = grown(TRUE, by)
    label = reconciled(mask, PICTURE, labels_of(TRUE), LENGTH)
    assert (label == labels_of(TRUE))[mask == TRUE].all()
    assert (label == labels_of(TRUE))[mask != TRUE].mean() > 0.9


def test_a_true_mask_is_believed_where_colours_are_wrong():
    """Colours claim a part of the background, within which there is no edge but the hand's own."""
    claimed = TRUE.copy()
    claimed[20:80, 65:80] = True
    assert np.array_equal(reconciled(TRUE, PICTURE, labels_of(claimed), LENGTH), labels_of(TRUE))
    shadow = TRUE.copy()
    shadow[90:120, 40:60] = False
    assert np.array_equal(reconciled(TRUE, PICTURE, labels_of(shadow), LENGTH), labels_of(TRUE))


def test_neither_is_believed_where_edges_bear_out_neither():
    """Both claim some of the background beside the palm, the mask more of it."""
    mask, colours = TRUE.copy(), TRUE.copy()
    mask[100:125, 110:130] = True
    colours[100:125, 110:120] = True
    assert (reconciled(mask, PICTURE, labels_of(colours), LENGTH)[100:125, 120:130] == UNKNOWN).all()


def test_a_hole_inside_the_hand_is_unknown():
    """Nothing lies along it that could be on an edge: neither the mask's contour nor that of the colours."""
    mask = TRUE.copy()
    mask[95:120, 60:90] = False
    assert (reconciled(mask, PICTURE, labels_of(TRUE), LENGTH)[95:120, 60:90] == UNKNOWN).all()


def test_unsure_colours_leave_the_mask_alone_and_empty_masks_give_way_to_what_edges_bear_out():
    unsure = np.full(TRUE.shape, UNKNOWN, np.int8)
    assert np.array_equal(reconciled(grown(TRUE, 4), PICTURE, unsure, LENGTH), labels_of(grown(TRUE, 4)))
    nothing = np.zeros_like(TRUE)
    assert np.array_equal(reconciled(nothing, PICTURE, labels_of(TRUE), LENGTH), labels_of(TRUE))

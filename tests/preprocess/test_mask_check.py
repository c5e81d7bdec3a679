"""Masks that contradict the picture are not believed there; masks that agree with it are."""

import cv2
import numpy as np
import pytest

from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN
from handrefine.preprocess.masks.mask_check import doubtful

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
    assert not doubtful(TRUE, PICTURE, labels_of(TRUE), LENGTH).any()


def test_a_missing_finger_is_doubted_and_the_rest_is_not():
    mask = TRUE.copy()
    mask[:60, 80:100] = False
    doubt = doubtful(mask, PICTURE, labels_of(TRUE), LENGTH)
    assert np.array_equal(doubt, TRUE & ~mask)


@pytest.mark.parametrize("by", [4, -4])
def test_a_mask_that_is_too_fat_or_too_thin_is_doubted_along_its_contour(by: int):
    mask = grown(TRUE, by)
    doubt = doubtful(mask, PICTURE, labels_of(TRUE), LENGTH)
    assert not (doubt & (mask == TRUE)).any()
    assert doubt[mask != TRUE].mean() > 0.9


def test_a_true_mask_is_believed_where_colours_are_wrong():
    """Colours claim a part of the background, within which there is no edge but the hand's own."""
    claimed = TRUE.copy()
    claimed[20:80, 65:80] = True
    assert not doubtful(TRUE, PICTURE, labels_of(claimed), LENGTH).any()
    shadow = TRUE.copy()
    shadow[90:120, 40:60] = False
    assert not doubtful(TRUE, PICTURE, labels_of(shadow), LENGTH).any()


def test_a_hole_inside_the_hand_is_doubted():
    mask = TRUE.copy()
    mask[95:120, 60:90] = False
    assert np.array_equal(doubtful(mask, PICTURE, labels_of(TRUE), LENGTH), TRUE & ~mask)


def test_unsure_colours_leave_the_mask_alone_and_empty_masks_are_doubted_where_skin_is():
    unsure = np.full(TRUE.shape, UNKNOWN, np.int8)
    assert not doubtful(grown(TRUE, 4), PICTURE, unsure, LENGTH).any()
    assert np.array_equal(doubtful(np.zeros_like(TRUE), PICTURE, labels_of(TRUE), LENGTH), TRUE)

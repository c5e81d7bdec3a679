"""Contour distance, on shapes whose distance is known."""

import numpy as np
import pytest

from handrefine.evaluation.contours import (
    contour_distance_px,
    contour_points_px,
    judged_contour_region,
    mean_contour_distance_px,
)

HEIGHT, WIDTH = 160, 200
EVERYWHERE = np.ones((HEIGHT, WIDTH), bool)


def box(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[y0:y1, x0:x1] = True
    return region


def disc(radius: float, x: float = 100.0, y: float = 80.0) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.hypot(columns - x, rows - y) <= radius


def upright_hand() -> np.ndarray:
    """21 joints of a flat hand that points up, its wrist at (100, 120) and its middle fingertip at (100, 20)."""
    joints = [(0.0, 0.0), *((20.0 * (k - 2), -(40.0 + 20 * j)) for k in range(5) for j in range(4))]
    return np.array(joints) + np.array([100.0, 120.0])


def test_a_single_pixel_has_the_midpoints_of_its_four_sides():
    points = contour_points_px(box(5, 6, 7, 8))
    assert {tuple(p) for p in points} == {(7.0, 5.5), (8.0, 5.5), (7.5, 5.0), (7.5, 6.0)}


def test_holes_have_contours_and_the_border_of_the_image_has_none():
    ring = box(0, HEIGHT, 0, WIDTH) & ~box(40, 50, 60, 80)
    assert len(contour_points_px(ring)) == 2 * (10 + 20)
    assert len(contour_points_px(EVERYWHERE)) == 0


def test_equal_shapes_are_at_distance_zero():
    assert contour_distance_px(disc(40), disc(40), EVERYWHERE) == 0.0


@pytest.mark.parametrize("difference", [1, 4, 10])
def test_concentric_discs_are_as_far_apart_as_their_radii_differ(difference: int):
    """The nearest point of a staircase is a little nearer than the circle; measured: up to 0.18 px."""
    distance = contour_distance_px(disc(40), disc(40 + difference), EVERYWHERE)
    assert distance == pytest.approx(difference, abs=0.25)


@pytest.mark.parametrize("shift", [1, 3, 7])
def test_a_shifted_edge_is_at_the_distance_of_its_shift(shift: int):
    assert contour_distance_px(box(0, HEIGHT, 0, 60), box(0, HEIGHT, 0, 60 + shift), EVERYWHERE) == shift


def test_it_is_symmetric_and_a_missing_finger_counts():
    hand = box(60, 120, 60, 120)
    finger = box(20, 60, 80, 90)
    distance = contour_distance_px(hand | finger, hand, EVERYWHERE)
    assert distance == contour_distance_px(hand, hand | finger, EVERYWHERE)
    assert distance is not None
    # 80 of the 320 sides of the larger outline lie 20 px away on average; the other way it is nearly nothing.
    assert distance == pytest.approx((90 * 21 / 320) / 2, rel=0.1)


def test_what_is_not_judged_counts_for_nothing():
    mask = box(40, 100, 40, 100)
    covered = mask | box(60, 70, 100, 150)
    assert contour_distance_px(covered, mask, box(0, HEIGHT, 0, 98)) == 0.0


def test_a_nearest_point_may_lie_outside_of_the_judged_region():
    """Judged everywhere are the render's edge at x = 60 and only the upper rows of the mask's at x = 63."""
    judged = box(0, HEIGHT, 0, 62) | box(0, 20, 0, WIDTH)
    assert contour_distance_px(box(0, HEIGHT, 0, 60), box(0, HEIGHT, 0, 63), judged) == 3.0


def test_without_a_contour_there_is_no_distance():
    empty = np.zeros((HEIGHT, WIDTH), bool)
    assert contour_distance_px(empty, disc(30), EVERYWHERE) is None
    assert contour_distance_px(disc(30), empty, EVERYWHERE) is None
    assert contour_distance_px(disc(30), disc(30), empty) is None
    assert mean_contour_distance_px([None, 2.0, 4.0]) == 3.0
    assert mean_contour_distance_px([None]) is None


def test_judged_is_the_hands_reach_without_forearm_and_other_hand():
    joints = upright_hand()
    other = joints * 0.2 + np.array([150.0, 20.0])
    judged = judged_contour_region(joints, other, HEIGHT, WIDTH)
    assert judged[60, 100]
    assert not judged[130, 100], "beyond the wrist"
    assert not judged[:120][:, 170:].any(), "out of reach, or near the other hand"
    assert judged_contour_region(joints, None, HEIGHT, WIDTH)[30, 160]
    assert not judged[30, 160], "within 15 px of the other hand"

"""Regions of an image: distances are exact, wherever OpenCV's arrays lie in memory."""

import numpy as np
import pytest

from handrefine import regions


@pytest.mark.parametrize("width", [41, 58, 64, 333])
def test_distances_are_exact(width: int) -> None:
    """Labels compare them with whole numbers of pixels: sqrt(9^2 + 12^2) must be 15 at every call."""
    rows, columns = np.mgrid[:300, :width]
    for x, y in ((0, 0), (20, 150), (width - 1, 17)):
        region = np.zeros((300, width), bool)
        region[y, x] = True
        expected = np.sqrt((rows - y) ** 2 + (columns - x) ** 2).astype(np.float32)
        np.testing.assert_array_equal(regions.distance_px(region), expected)


def test_without_a_region_everything_is_far() -> None:
    assert (regions.distance_px(np.zeros((4, 5), bool)) == 1e6).all()


def test_parts_are_kept_that_hold_a_seed():
    region = np.array([[1, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], bool)
    seeds = np.zeros_like(region)
    seeds[0, 0] = seeds[2, 3] = True  # the second lies in no part
    assert regions.connected_to(region, seeds).tolist() == [[True, True, False, False], [False] * 4, [False] * 4]
    diagonally = regions.connected_to(region, seeds, diagonally=True)
    assert diagonally.tolist() == [[True, True, False, True], [False, False, True, False], [False] * 4]


def test_pixels_are_asked_where_points_lie():
    image = np.arange(6.0).reshape(2, 3)
    points = np.array([[0.0, 0.0], [2.9, 1.9], [3.0, 0.5], [-0.1, 0.5], [1.5, np.nan], [np.inf, 0.5], [1e12, 0.5]])
    assert regions.values_at(image, points, -1.0).tolist() == [0, 5, -1, -1, -1, -1, -1]

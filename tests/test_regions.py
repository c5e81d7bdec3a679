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

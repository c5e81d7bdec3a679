"""Crop windows keep pixels where they were."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.preprocess.crops import CropConfig, window_around
from handrefine.sequence import Camera

CAMERA = Camera("c", 320, 200, 300.0, 280.0, 150.0, 110.0, np.eye(3), np.zeros(3))


def cloud(x: float, y: float, z: float, radius: float = 0.05) -> torch.Tensor:
    corners = torch.tensor([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=torch.float64)
    return corners * radius + torch.tensor([x, y, z], dtype=torch.float64)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.15, 0.15), st.floats(-0.1, 0.1), st.floats(0.4, 0.8), st.integers(32, 200))
def test_a_point_keeps_its_place_in_the_window(x: float, y: float, z: float, size: int) -> None:
    points = cloud(x, y, z)
    window = window_around(points, CAMERA, CropConfig(max_size_px=size))
    assert window is not None
    full_px = CAMERA.project(points)
    in_window_px = window.camera.project(points)
    low = torch.tensor([window.x0_px, window.y0_px])
    high = torch.tensor([window.x1_px, window.y1_px])
    window_size = torch.tensor([window.camera.width, window.camera.height])
    torch.testing.assert_close((full_px - low) / (high - low) * window_size, in_window_px)
    assert max(window.camera.width, window.camera.height) <= max(size, 8)


def test_shrinking_averages_and_enlarging_puts_back() -> None:
    window = window_around(cloud(0, 0, 0.5), CAMERA, CropConfig(max_size_px=40))
    assert window is not None
    rng = np.random.default_rng(0)
    image = rng.random((CAMERA.height, CAMERA.width, 3)).astype(np.float32)
    crop = window.cut(image)
    small = window.shrink(crop)
    assert small.shape == (window.camera.height, window.camera.width, 3)
    assert small.mean() == pytest.approx(crop.mean(), abs=1e-3)
    assert window.enlarge(small[..., 0]).shape == crop.shape[:2]


@pytest.mark.parametrize("centre", [(0.0, 0.0, -0.5), (5.0, 0.0, 0.5)])
def test_a_hand_that_is_not_seen_has_no_window(centre: tuple[float, float, float]) -> None:
    assert window_around(cloud(*centre), CAMERA, CropConfig()) is None

"""A clipped channel is a bound: what means over areas make of it, and that it pulls to one side only."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_iterates import prediction_of
from made_observations import observations

from handrefine.colour import srgb_to_linear
from handrefine.losses.base import Residuals
from handrefine.losses.comparison import compare
from handrefine.losses.norms import PixelNorm
from handrefine.observations import Observations, clipped_means
from handrefine.preprocess.masks.sensor_range import clipped_channels


def halved(values: np.ndarray) -> np.ndarray:
    """Means over areas of 2 x 2."""
    return values.reshape(1, 2, 1, 2, 3).mean(axis=(1, 3))


def test_channels_at_an_end_are_bounds():
    image = srgb_to_linear(np.array([[[0.99, 0.5, 0.01]]], np.float32))
    assert clipped_channels(image).tolist() == [[[1, 0, -1]]]


def test_a_mean_is_a_lower_bound_where_any_part_is_and_an_upper_one_where_all_are():
    clipped = np.zeros((2, 2, 3), np.int8)
    clipped[0, 0, 0] = 1
    clipped[0, :, 1] = -1
    clipped[..., 2] = -1
    assert clipped_means(clipped, halved).tolist() == [[[1, 0, -1]]]


def bounded(end: int) -> Observations:
    """All channels of the hand's pixels are at an end of the range."""
    seen = observations()
    on_hand = (seen.hand_share > 0)[:, None].expand(-1, 3)
    return replace(seen, clipped=(end * on_hand.int()).to(torch.int8))


@pytest.mark.parametrize("norm", ["l1", "l2", "huber"])
@pytest.mark.parametrize("end", [1, -1])
def test_a_bound_pulls_to_one_side_only(norm: str, end: int):
    """Beyond the bound nothing is left to explain and no gradient; short of it both are as without it."""
    seen, usual = bounded(end), observations()

    def gradient(factor: float, of: Observations) -> tuple[float, torch.Tensor]:
        rgb = (factor * seen.target).requires_grad_()
        found = compare(replace(prediction_of(seen.target), hand_rgb=rgb), of, protect_texture=False)
        value = Residuals(found.as_seen - found.target, PixelNorm(norm=norm)).value()  # pyright: ignore[reportArgumentType]
        return value.item(), torch.autograd.grad(value, rgb)[0]

    beyond, short = (1.3, 0.7) if end > 0 else (0.7, 1.3)
    value, slope = gradient(beyond, seen)
    assert (value, float(slope.abs().max())) == (0, 0)
    value, slope = gradient(short, seen)
    expected_value, expected_slope = gradient(short, usual)
    assert value == pytest.approx(expected_value)
    assert value > 0
    assert torch.allclose(slope, expected_slope)


def test_the_one_sided_difference_has_the_derivative_of_finite_differences():
    """Central differences in float64, away from the kink; beyond the bound the Jacobian is zero as well."""
    seen = replace(bounded(1), target=bounded(1).target.double(), background=bounded(1).background.double())
    prediction = prediction_of(seen.target)
    shade = torch.rand(seen.target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5

    def value(scale: torch.Tensor) -> torch.Tensor:
        rgb = scale * shade * seen.target
        found = compare(replace(prediction, hand_rgb=rgb), seen, protect_texture=False)
        return Residuals(found.as_seen - found.target, PixelNorm(norm="l2")).value()

    assert torch.autograd.gradcheck(value, torch.tensor(0.9, dtype=torch.float64, requires_grad=True))


def test_saturated_pixels_are_not_measured_and_survive_resampling():
    seen = bounded(1)
    assert torch.equal(seen.measured, seen.hand_share == 0)
    small = seen.resized(0.5)
    assert small.clipped is not None
    assert torch.equal((small.clipped > 0).all(dim=1), small.hand_share > 0)

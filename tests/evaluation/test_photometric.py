"""Photometric error after fitting one camera's colours: what it forgives and what it does not."""

import pytest
import torch

from handrefine.colour_fit import apply_transform
from handrefine.evaluation.photometric import FEWEST_PIXELS, photometric_error


def colours(n: int = 4000, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))


CAMERA = torch.tensor([[0.9, 0.1, 0.0, 0.02], [0.05, 1.1, -0.1, 0.0], [0.0, 0.02, 0.8, 0.05]])


def everywhere(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones(n), torch.ones(n, dtype=torch.bool)


def test_a_camera_of_other_colours_costs_nothing():
    rgb = colours()
    coverage, judged = everywhere(len(rgb))
    error = photometric_error(rgb, coverage, apply_transform(CAMERA, rgb), judged)
    assert error is not None
    assert error.mean_abs < 1e-6
    assert torch.allclose(error.transform, CAMERA, atol=1e-5)
    assert error.n_pixels == len(rgb)


def test_noise_that_no_transform_explains_is_told_at_its_size():
    """Mean of |N(0, 0.05)| is 0.05 sqrt(2 / pi); with 12000 values it varies by less than 1 %."""
    rgb = colours()
    noise = 0.05 * torch.randn(rgb.shape, generator=torch.Generator().manual_seed(1))
    coverage, judged = everywhere(len(rgb))
    error = photometric_error(rgb, coverage, apply_transform(CAMERA, rgb) + noise, judged)
    assert error is not None
    assert error.mean_abs == pytest.approx(0.05 * (2 / torch.pi) ** 0.5, rel=0.03)


def test_only_judged_and_wholly_covered_pixels_are_compared():
    rgb = colours()
    coverage, judged = everywhere(len(rgb))
    image = apply_transform(CAMERA, rgb)
    image[:500], judged[:500] = 9.0, False
    image[500:900], coverage[500:900] = 9.0, 0.9
    error = photometric_error(rgb, coverage, image, judged)
    assert error is not None
    assert error.n_pixels == len(rgb) - 900
    assert error.mean_abs < 1e-6


def test_a_grey_camera_of_any_spectral_response_costs_nothing():
    rgb = colours()
    coverage, judged = everywhere(len(rgb))
    grey = (rgb @ torch.tensor([0.4, 0.5, 0.3]) + 0.02)[:, None].expand(-1, 3)
    error = photometric_error(rgb, coverage, grey, judged)
    assert error is not None
    assert error.mean_abs < 1e-6


def test_too_few_pixels_say_nothing():
    rgb = colours(FEWEST_PIXELS)
    coverage, judged = everywhere(len(rgb))
    assert photometric_error(rgb, coverage, rgb, judged) is not None
    judged[0] = False
    assert photometric_error(rgb, coverage, rgb, judged) is None

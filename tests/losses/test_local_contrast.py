"""Local contrast: blind to the level of the light, to unknown pixels and to other views."""

import cv2
import numpy as np
import pytest
import torch

from handrefine.losses.local_contrast import LocalContrast

SIGMA_PX = 2.0
SIZES = ((24, 30), (17, 16), (20, 33))


def split(pixels: torch.Tensor) -> list[np.ndarray]:
    parts = pixels.split([h * w for h, w in SIZES])
    return [part.reshape(h, w, 3).numpy() for part, (h, w) in zip(parts, SIZES, strict=True)]


def pictures(seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(sum(h * w for h, w in SIZES), 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def known(share: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return (pictures(7)[:, 0] < share).to(dtype)


def test_it_is_the_difference_from_a_gaussian_blur():
    """Inside, where no border is within the kernel's reach of 6 px, against OpenCV's."""
    contrast = LocalContrast(SIZES, torch.ones(len(pictures())), SIGMA_PX)(pictures())
    for ours, picture in zip(split(contrast), split(pictures()), strict=True):
        blurred = cv2.GaussianBlur(picture, (13, 13), SIGMA_PX)
        inside = np.s_[6:-6, 6:-6]
        assert np.allclose(ours[inside], (picture - blurred)[inside], atol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_level_of_the_light_does_not_count(share):
    contrast = LocalContrast(SIZES, known(share), SIGMA_PX)
    assert torch.allclose(contrast(pictures() + 0.4), contrast(pictures()), atol=1e-6)
    assert contrast(torch.full_like(pictures(), 0.7))[known(share) > 0].abs().max() < 1e-6


def test_unknown_pixels_and_other_views_have_no_say():
    weight = known(0.6)
    contrast = LocalContrast(SIZES, weight, SIGMA_PX)
    changed = torch.where((weight > 0)[:, None], pictures(), pictures(1))
    assert torch.equal(contrast(changed)[weight > 0], contrast(pictures())[weight > 0])
    first = SIZES[0][0] * SIZES[0][1]
    elsewhere = torch.cat([pictures()[:first], pictures(2)[first:]])
    assert torch.equal(contrast(elsewhere)[:first], contrast(pictures())[:first])


def test_gradient():
    """gradcheck in float64, with unknown pixels (default tolerances 1e-5, 1e-3)."""
    weight = known(0.6, torch.float64)
    contrast = LocalContrast(SIZES, weight, SIGMA_PX)
    weights = pictures(3, torch.float64) * weight[:, None]
    values = pictures(4, torch.float64)

    def loss(few: torch.Tensor) -> torch.Tensor:
        return (contrast(torch.cat([few, values[len(few) :]])) * weights).sum()

    assert torch.autograd.gradcheck(loss, values[:20].clone().requires_grad_())

"""Per-camera colour transforms with a fixed gauge, and the closed-form colour fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.colour_fit import apply_transform, fit_colour_transform
from handrefine.losses.base import Residuals
from handrefine.losses.colour_ridge import USUAL_DEVIATION
from handrefine.losses.norms import Squared
from handrefine.scene.colour_transforms import ColourTransforms, luminance


def randomised(n_cameras: int, seed: int = 0) -> ColourTransforms:
    transforms = ColourTransforms(n_cameras)
    with torch.no_grad():
        transforms.free.copy_(0.1 * torch.randn(n_cameras, 3, 4, generator=torch.Generator().manual_seed(seed)))
    return transforms


def test_starts_at_identity():
    rgb = torch.rand(5, 3)
    assert torch.equal(ColourTransforms(4).transform(rgb, torch.tensor([0, 1, 2, 3, 0])), rgb)


@settings(max_examples=25, deadline=None)
@given(n_cameras=st.integers(1, 6), seed=st.integers(0, 1000))
def test_mean_over_cameras_is_the_identity(n_cameras: int, seed: int):
    mean = randomised(n_cameras, seed).matrices().mean(dim=0)
    assert torch.allclose(mean, torch.eye(3, 4), atol=1e-6)


def test_a_change_common_to_all_cameras_changes_nothing():
    transforms = randomised(3)
    before = transforms.matrices().detach().clone()
    with torch.no_grad():
        transforms.free += torch.randn(3, 4)
    assert torch.allclose(transforms.matrices(), before, atol=1e-6)


def test_exposures_scale_a_cameras_colours_and_their_geometric_mean_is_one():
    transforms = randomised(3)
    before = transforms.matrices().detach().clone()
    with torch.no_grad():
        transforms.log_exposure.copy_(torch.tensor([2.0, 4.0, 8.0]).log() + 5.0)
    gains = (transforms.matrices() / before).detach().flatten(1)
    expected = torch.tensor([0.5, 1.0, 2.0])[:, None].expand_as(gains)
    assert torch.allclose(gains, expected, atol=1e-5)


def test_a_single_camera_has_no_freedom():
    transforms = randomised(1)
    rgb = torch.rand(4, 3)
    result = transforms.transform(rgb, torch.zeros(4, dtype=torch.int64))
    assert torch.allclose(result, rgb)
    result.sum().backward()
    for parameter in transforms.parameters():
        assert parameter.grad is not None
        assert (parameter.grad == 0).all()


def test_each_pixel_gets_its_cameras_transform():
    transforms = randomised(3)
    rgb, camera = torch.rand(6, 3), torch.tensor([2, 0, 1, 1, 2, 0])
    expected = torch.stack(
        [apply_transform(transforms.matrices()[c], p) for c, p in zip(camera, rgb, strict=True)]
    )
    assert torch.allclose(transforms.transform(rgb, camera), expected, atol=1e-6)


def test_empty_background_stays_black_and_half_covered_pixels_get_half_the_offset():
    transforms = randomised(2)
    hand, camera = torch.rand(3, 3), torch.tensor([1, 1, 1])
    coverage = torch.tensor([0.0, 0.5, 1.0])
    result = transforms.transform(hand * coverage[:, None], camera, coverage)
    full = transforms.transform(hand, camera)
    assert torch.allclose(result, coverage[:, None] * full, atol=1e-6)


def test_gradients_match_finite_differences():
    transforms = randomised(3).double()
    rgb = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    coverage = torch.rand(5, dtype=torch.float64, requires_grad=True)
    camera = torch.tensor([0, 1, 2, 1, 0])

    def run(free: torch.Tensor, rgb: torch.Tensor, coverage: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(transforms, {"free": free}, (rgb, camera, coverage))

    transforms.forward = transforms.transform  # type: ignore[method-assign]
    assert torch.autograd.gradcheck(run, (transforms.free, rgb, coverage))


def test_luminance_of_white_is_one():
    assert luminance(torch.ones(2, 3)).tolist() == pytest.approx([1.0, 1.0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_fit_recovers_a_transform(seed: int):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(3, 4, generator=generator)
    source = torch.rand(40, 3, generator=generator)
    assert torch.allclose(fit_colour_transform(source, apply_transform(matrix, source)), matrix, atol=1e-4)


def test_weights_leave_outliers_out():
    source = torch.rand(50, 3, generator=torch.Generator().manual_seed(1))
    target = 0.5 * source + 0.1
    target[:10] = 7.0
    weights = torch.ones(50)
    weights[:10] = 0
    fit = fit_colour_transform(source, target, weights)
    assert torch.allclose(apply_transform(fit, source[10:]), target[10:], atol=1e-5)


def test_no_other_transform_is_better():
    generator = torch.Generator().manual_seed(2)
    source, target = torch.rand(2, 30, 3, generator=generator, dtype=torch.float64)
    best = fit_colour_transform(source, target)
    error = (apply_transform(best, source) - target).square().sum()
    for _ in range(20):
        other = best + 1e-3 * torch.randn(3, 4, generator=generator, dtype=torch.float64)
        assert (apply_transform(other, source) - target).square().sum() > error


def test_a_constant_colour_is_fitted_near_the_identity():
    source, target = torch.full((9, 3), 0.4), torch.full((9, 3), 0.5)
    fit = fit_colour_transform(source, target)
    assert torch.isfinite(fit).all()
    assert torch.allclose(apply_transform(fit, source), target, atol=1e-6)
    assert (fit - torch.eye(3, 4)).abs().max() < 0.1


def ridge(transforms: ColourTransforms, n_pixels: torch.Tensor, strength_px: float) -> torch.Tensor:
    """The term's value with this many pixels compared."""
    return Residuals(transforms.deviations(), Squared(USUAL_DEVIATION), count=n_pixels, scale=strength_px).value()


def test_the_ridge_decides_where_pixels_are_few_and_leaves_many_alone():
    """Gains are off by 0.1, -0.1, 0.3 and -0.3; the first two cameras show 5000 pixels each, the others 20."""
    counts = torch.tensor([5000, 5000, 20, 20])
    camera = torch.arange(4).repeat_interleave(counts)
    generator = torch.Generator().manual_seed(0)
    rgb = 0.2 + 0.5 * torch.rand(len(camera), 3, generator=generator)
    gain = torch.tensor([1.1, 0.9, 1.3, 0.7])
    image = rgb * gain[camera][:, None]

    def fitted(strength_px: float) -> torch.Tensor:
        transforms = ColourTransforms(4)
        optimizer = torch.optim.LBFGS(
            transforms.parameters(), max_iter=300, tolerance_change=1e-14, line_search_fn="strong_wolfe"
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            data = (transforms.transform(rgb, camera) - image).square().mean()
            total = data + ridge(transforms, counts.sum().float(), strength_px)
            total.backward()
            return total

        optimizer.step(loss)
        return transforms.matrices().detach()

    grey = rgb.mean(dim=0)

    def gains(matrices: torch.Tensor) -> list[float]:
        return ((matrices[:, :, :3] @ grey + matrices[:, :, 3]) / grey - 1).mean(dim=1).tolist()

    free, held = fitted(0.0), fitted(20.0)
    assert gains(free) == pytest.approx([0.1, -0.1, 0.3, -0.3], abs=0.01)
    assert gains(held)[:2] == pytest.approx([0.1, -0.1], abs=0.02)
    assert max(abs(gain) for gain in gains(held)[2:]) < 0.1
    assert torch.allclose(held.mean(dim=0), torch.eye(3, 4), atol=2e-3)


def test_the_ridge_has_the_gradient_of_finite_differences():
    """gradcheck in float64 with its default tolerances (1e-5, 1e-3)."""
    transforms = randomised(3).double()
    pixels = torch.tensor(213.0).double()

    def of_free(free: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(RidgeOnly(transforms), {"colour.free": free}, (pixels,))

    assert torch.autograd.gradcheck(of_free, torch.randn(3, 3, 4, dtype=torch.float64, requires_grad=True))


class RidgeOnly(torch.nn.Module):
    def __init__(self, colour: ColourTransforms) -> None:
        super().__init__()
        self.colour = colour

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return ridge(self.colour, pixels, 50.0)

"""The texture pyramid: levels of detail that add up, and gradients that survive clamping."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.errors import InputError
from handrefine.scene.clamping import returning_clamp
from handrefine.scene.texture import TexturePyramid


def randomised(size: int, n_textures: int = 1, scale: float = 0.02) -> TexturePyramid:
    torch.manual_seed(0)
    pyramid = TexturePyramid(size, n_textures=n_textures)
    with torch.no_grad():
        for level in pyramid.levels:
            level.add_(scale * torch.randn_like(level))
    return pyramid


def test_starts_constant_at_full_size():
    pyramid = TexturePyramid(64, initial=(0.3, 0.2, 0.1), n_textures=2)
    assert pyramid().shape == (2, 64, 64, 3)
    assert torch.allclose(pyramid(), torch.tensor([0.3, 0.2, 0.1]))


def test_the_papers_size_has_eight_levels():
    sides = [level.shape[-1] for level in TexturePyramid(1024).levels]
    assert sides == [8, 16, 32, 64, 128, 256, 512, 1024]


def test_enabling_a_level_of_zeros_changes_nothing():
    pyramid = randomised(64)
    with torch.no_grad():
        for level in list(pyramid.levels)[2:]:
            level.zero_()
    assert torch.equal(pyramid(2), pyramid(4))
    assert torch.equal(pyramid(None), pyramid(99))


def test_a_linear_ramp_in_the_coarsest_level_stays_linear_inside():
    pyramid = TexturePyramid(32)
    with torch.no_grad():
        pyramid.levels[0][:] = torch.linspace(0.1, 0.9, 8)
    row = pyramid()[0, 16, :, 0].detach()
    second_difference = row[8:-8].diff().diff().abs()
    assert second_difference.max() < 1e-6
    assert float(row[20] - row[10]) == pytest.approx(10 * 0.8 / 7 / 4, rel=1e-4)


def test_a_texture_that_has_not_changed_is_summed_up_once() -> None:
    texture = TexturePyramid(32).requires_grad_(False)
    first = texture(2)
    assert texture(2) is first
    assert texture(3) is not first
    texture.levels[0].add_(0.1)
    torch.testing.assert_close(texture(2), first + 0.1)
    texture.requires_grad_(True)
    assert texture(2).requires_grad
    with torch.no_grad():
        assert not texture(2).requires_grad


def test_only_enabled_levels_get_gradients():
    pyramid = randomised(64)
    pyramid(2).sum().backward()
    assert [level.grad is not None for level in pyramid.levels] == [True, True, False, False]


def test_gradient_matches_finite_differences():
    """Linear inside [0, 1], so that a central difference in float64 is exact to rounding: tolerance 1e-6."""
    pyramid = randomised(32, n_textures=2).double()
    weight = torch.randn(2, 32, 32, 3, dtype=torch.float64)
    (pyramid() * weight).sum().backward()
    for level in pyramid.levels:
        index = (1, 2, level.shape[2] // 2, 3)
        assert level.grad is not None
        with torch.no_grad():
            values = []
            for step in (1e-4, -2e-4):
                level[index] += step
                values.append(float((pyramid() * weight).sum()))
            level[index] += 1e-4
        assert float(level.grad[index]) == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    value=st.floats(-3, 3, allow_nan=False, width=32),
    gradient=st.floats(-2, 2, allow_nan=False, width=32),
)
def test_clamp_blocks_only_steps_that_lead_further_out(value: float, gradient: float):
    x = torch.tensor([value], requires_grad=True)
    y = returning_clamp(x, 0.0, 1.0)
    assert y.item() == min(max(value, 0.0), 1.0)
    y.backward(torch.tensor([gradient]))
    assert x.grad is not None
    leads_out = (value < 0 and gradient > 0) or (value > 1 and gradient < 0)
    assert float(x.grad) == (0.0 if leads_out else pytest.approx(gradient))


def test_a_texel_that_went_black_comes_back():
    pyramid = TexturePyramid(8, initial=(0.0, 0.0, 0.0))
    with torch.no_grad():
        pyramid.levels[0] -= 0.2
    optimiser = torch.optim.Adam(pyramid.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        (pyramid() - 0.5).abs().mean().backward()
        optimiser.step()
    assert (pyramid() - 0.5).abs().max() < 0.06


@pytest.mark.parametrize("size", [0, 4, 12, 100, 24])
def test_refuses_sizes_that_are_not_doublings_of_eight(size: int):
    with pytest.raises(InputError, match="8 times a power of two"):
        TexturePyramid(size)


def test_refuses_no_levels_and_impossible_reflectance():
    with pytest.raises(InputError):
        TexturePyramid(8)(0)
    with pytest.raises(InputError):
        TexturePyramid(8, initial=(0.5, 1.5, 0.5))

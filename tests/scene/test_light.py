"""The spherical-harmonics light: mid level at the start, never negative, differentiable."""

import math

import pytest
import torch

from handrefine.errors import InputError
from handrefine.scene.light import SphericalLight
from handrefine.spherical import latlong_directions, latlong_solid_angles, sh_basis


@pytest.mark.parametrize("order", range(5))
def test_starts_as_constant_radiance(order: int):
    light = SphericalLight(order, ambient=0.7)
    assert light.coefficients.shape == ((order + 1) ** 2, 3)
    assert torch.allclose(light.bake(8), torch.tensor(0.7), atol=1e-6)


def test_a_half_reflecting_diffuse_surface_starts_at_mid_level():
    """Radiosity rho / pi * integral of L cos over the hemisphere, by quadrature on a 64-row map: 1 %."""
    up = latlong_directions(64, 128)[..., 1].clamp(min=0)
    irradiance = (SphericalLight(1).bake(64)[..., 0] * up * latlong_solid_angles(64, 128)).sum()
    assert float(0.5 / math.pi * irradiance.detach()) == pytest.approx(0.25, rel=0.01)


def test_baking_is_the_harmonic_sum_where_it_is_positive():
    light = SphericalLight(2)
    torch.manual_seed(0)
    with torch.no_grad():
        light.coefficients[1:] = 0.05 * torch.randn_like(light.coefficients[1:])
    expected = sh_basis(latlong_directions(16, 32), 2) @ light.coefficients
    assert (expected > 0).all()
    assert torch.allclose(light.bake(16), expected)


def test_gradient_matches_finite_differences_with_a_dark_half():
    """Texels on the dark side count by the blocked half of their gradient, so the weights ask for less light
    there: the returned gradient is then the clamp's exact derivative. Tolerance 1e-5 in float64."""
    light = SphericalLight(1).double()
    with torch.no_grad():
        light.coefficients[2] = 2.0
    weight = torch.rand(8, 16, 3, dtype=torch.float64) + 0.1
    (light.bake(8) * weight).sum().backward()
    grad = light.coefficients.grad
    assert grad is not None
    assert (light.bake(8) == 0).any()
    for index in [(0, 0), (1, 1), (2, 2), (3, 0)]:
        with torch.no_grad():
            light.coefficients[index] += 1e-6
            above = (light.bake(8) * weight).sum()
            light.coefficients[index] -= 2e-6
            below = (light.bake(8) * weight).sum()
            light.coefficients[index] += 1e-6
        assert float(grad[index]) == pytest.approx(float(above - below) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("start", [-0.5, -3.0])
def test_an_all_dark_light_comes_back(start: float):
    light = SphericalLight(1)
    with torch.no_grad():
        light.coefficients[0] = start
    assert (light.bake(8) == 0).all()
    optimiser = torch.optim.Adam(light.parameters(), lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        (light.bake(8) - 0.4).square().mean().backward()
        optimiser.step()
    assert (light.bake(8) - 0.4).abs().max() < 0.02


def test_refuses_unknown_orders_and_darkness():
    with pytest.raises(InputError, match="order"):
        SphericalLight(5)
    with pytest.raises(InputError, match="positive"):
        SphericalLight(1, ambient=0.0)

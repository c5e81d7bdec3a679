"""Spherical harmonics: orthonormal, Dr.Jit's own, and laid out as Mitsuba's environment maps are."""

import numpy as np
import pytest
import torch

from handrefine.spherical import coefficient_count, latlong_directions, latlong_solid_angles, sh_basis


@pytest.fixture(scope="module")
def directions() -> torch.Tensor:
    d = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 3)))
    return d / d.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("order", range(5))
def test_equal_to_drjit(runtime, directions, order):
    import drjit as dr
    import mitsuba as mi

    theirs = dr.sh_eval(mi.Vector3f(np.ascontiguousarray(directions.numpy().T, dtype=np.float32)), order)
    ours = sh_basis(directions, order).numpy()
    assert ours.shape == (200, coefficient_count(order))
    # float32 against float64
    np.testing.assert_allclose(ours, np.stack([np.broadcast_to(np.array(f), 200) for f in theirs], 1), atol=5e-6)


def test_orthonormal_over_the_sphere():
    """Midpoint rule on 128 x 256 texels: its error on products of degree <= 8 is below 1e-3."""
    basis = sh_basis(latlong_directions(128, 256), 4).double().reshape(-1, 25)
    weights = latlong_solid_angles(128, 256).double().reshape(-1, 1)
    torch.testing.assert_close(basis.T @ (basis * weights), torch.eye(25).double(), rtol=0, atol=1e-3)


def test_bands_are_polynomials_of_their_degree(directions):
    """f(-d) = (-1)^l f(d), and the sum of squares of band l is (2 l + 1) / (4 pi) everywhere (Unsold)."""
    plus, minus = sh_basis(directions, 4), sh_basis(-directions, 4)
    for degree in range(5):
        band = slice(degree**2, (degree + 1) ** 2)
        torch.testing.assert_close(minus[:, band], (-1) ** degree * plus[:, band])
        total = plus[:, band].square().sum(1)
        torch.testing.assert_close(total, torch.full_like(total, (2 * degree + 1) / (4 * np.pi)))


def test_map_directions_and_solid_angles():
    d, w = latlong_directions(64, 128), latlong_solid_angles(64, 128)
    torch.testing.assert_close(d.norm(dim=-1), torch.ones(64, 128))
    assert w.sum().item() == pytest.approx(4 * np.pi, rel=1e-5)
    assert d[0, :, 1].min() > 0.99  # the first row looks up
    assert d[32, 0, 2] < -0.99  # the first column looks along -z ...
    assert d[32, 32, 0] > 0.99  # ... a quarter turn later along +x
    torch.testing.assert_close((d * w[..., None]).sum((0, 1)), torch.zeros(3), rtol=0, atol=1e-4)


@pytest.mark.parametrize("order", [-1, 5])
def test_other_orders_are_refused(directions, order):
    with pytest.raises(ValueError, match="orders 0 to 4"):
        sh_basis(directions, order)

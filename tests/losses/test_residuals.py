"""Norms, blocks of residuals, and the scalars that follow from them."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from handrefine.losses.base import Residuals
from handrefine.losses.data import counted
from handrefine.losses.edge import edge_pixels, pixels_on_edges
from handrefine.losses.norms import PixelNorm, Squared, absolute, euclidean


@pytest.mark.parametrize(
    ("norm", "expected"),
    [("l1", 0.3), ("l2", (0.05**2 + 0.85**2) / 3), ("huber", (0.05**2 / 0.2 + 0.8) / 3)],
)
def test_norms_by_hand(norm, expected):
    difference = torch.tensor([[0.05, 0.0, 0.85]])
    assert PixelNorm(norm=norm, huber_delta=0.1)(difference).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", ["l1", "l2", "huber"])
def test_norms_have_the_gradient_of_finite_differences(norm):
    """gradcheck in float64, at residuals away from the kinks (default tolerances 1e-5, 1e-3)."""
    difference = torch.tensor([[0.03, -0.2, 0.5], [-0.04, 0.15, -0.9]], dtype=torch.float64).requires_grad_()
    assert gradcheck(PixelNorm(norm=norm, huber_delta=0.1), difference)


@pytest.mark.parametrize("norm", [Squared(0.1), euclidean])
def test_norms_of_rows_have_the_gradient_of_finite_differences(norm):
    difference = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    assert gradcheck(norm, difference)


def test_huber_tends_to_l1():
    difference = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    nearly = PixelNorm(norm="huber", huber_delta=1e-6)(difference)
    assert torch.allclose(nearly, PixelNorm(norm="l1")(difference), atol=1e-5)


def test_the_value_is_the_mean_over_counted_residuals():
    residual, weight = torch.tensor([[1.0], [3.0], [100.0]]), torch.tensor([1.0, 1.0, 0.0])
    assert Residuals(residual, absolute, weight, weight).value().item() == pytest.approx(2.0)
    assert Residuals(residual, absolute, torch.zeros(3), torch.zeros(3)).value().item() == 0.0
    assert Residuals(residual, absolute, weight, count=8.0, scale=2.0).value().item() == pytest.approx(1.0)


def test_frames_by_themselves_add_up_to_the_whole():
    generator = torch.Generator().manual_seed(1)
    residual, weight = torch.rand(12, 2, generator=generator), torch.rand(12, generator=generator)
    frame = torch.arange(12) % 3
    block = Residuals(residual, Squared(), weight, weight, frame_index=frame)
    shares = torch.bincount(frame, weight.double()) / weight.double().sum()
    assert (block.by_frame(3) * shares).sum().item() == pytest.approx(block.value().item(), rel=1e-5)
    with pytest.raises(ValueError, match="frames"):
        Residuals(residual, Squared()).by_frame(3)


def test_shrinking_before_an_unknown_background_does_not_pay():
    """A hand that misses its image by 0.2 everywhere: the loss must not depend on how much of it is shown."""
    share = torch.tensor([1.0, 0.6, 0.3, 0.1], requires_grad=True)
    weight, known = torch.ones(4), torch.zeros(4, dtype=torch.bool)
    loss = Residuals(0.2 * share[:, None], absolute, weight, counted(weight, share, known)).value()
    loss.backward()
    assert loss.item() == pytest.approx(0.2)
    assert share.grad is not None
    assert share.grad.abs().max() < 1e-6


def square(height: int = 40, width: int = 50, x0: int = 15, value: float = 0.8) -> torch.Tensor:
    image = torch.zeros(height, width, 3)
    image[10:30, x0 : x0 + 20] = value
    return image


def test_edges_of_a_square_lie_on_its_outline():
    edges = edge_pixels(square()).numpy()
    assert edges[10:30, 15].all()
    assert edges[10:30, 34].all()
    assert edges[10, 15:35].all()
    near = np.zeros_like(edges)
    near[7:33, 12:38] = True
    near[13:27, 18:32] = False
    assert not edges[~near].any()


def test_a_flat_picture_has_no_edges_and_radius_grows_them():
    flat = torch.full((20, 20, 3), 0.3)
    assert not edge_pixels(flat).any()
    assert edge_pixels(square(), radius_px=2).sum() > edge_pixels(square(), radius_px=1).sum()


def test_edges_of_views_of_different_sizes_stand_one_after_the_other():
    views = [square(), square(60, 45), torch.zeros(5, 7, 3)]
    on_edges = pixels_on_edges([view.requires_grad_() for view in views])
    assert on_edges.shape == (40 * 50 + 60 * 45 + 5 * 7,)
    assert torch.equal(on_edges[2000:4700].reshape(60, 45), edge_pixels(views[1]))
    assert on_edges[:2000].any()
    assert not on_edges[4700:].any()

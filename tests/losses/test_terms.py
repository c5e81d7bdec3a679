"""Data, silhouette and edge terms on hand-made pixels."""

import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.losses.data import mean_residual, residual_norm
from handrefine.losses.edge import edge_pixels, pixels_on_edges
from handrefine.losses.silhouette import silhouette_loss


@pytest.mark.parametrize(
    ("norm", "expected"),
    [("l1", 0.3), ("l2", (0.05**2 + 0.85**2) / 3), ("huber", (0.05**2 / 0.2 + 0.8) / 3)],
)
def test_norms_by_hand(norm, expected):
    rendered, target = torch.tensor([[0.05, 0.5, 0.95]]), torch.tensor([[0.0, 0.5, 0.1]])
    assert residual_norm(rendered, target, norm, huber_delta=0.1).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", ["l1", "l2", "huber"])
def test_norms_have_the_gradient_of_finite_differences(norm):
    """gradcheck in float64, at residuals away from the kinks (default tolerances 1e-5, 1e-3)."""
    difference = torch.tensor([[0.03, -0.2, 0.5], [-0.04, 0.15, -0.9]], dtype=torch.float64)
    target = torch.rand(2, 3, dtype=torch.float64)
    rendered = (target + difference).requires_grad_()
    assert torch.autograd.gradcheck(lambda r: residual_norm(r, target, norm), rendered)


def test_huber_tends_to_l1():
    rendered, target = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(0))
    nearly = residual_norm(rendered, target, "huber", huber_delta=1e-6)
    assert torch.allclose(nearly, residual_norm(rendered, target, "l1"), atol=1e-5)


def test_unknown_norm_is_refused():
    # Past the shape checker's own literal check, as an unchecked caller would.
    with pytest.raises(InputError, match="unknown norm"):
        residual_norm.__wrapped__(torch.zeros(1, 3), torch.zeros(1, 3), "l3")  # type: ignore[attr-defined]


def test_mean_is_over_counted_pixels():
    residual, weight = torch.tensor([1.0, 3.0, 100.0]), torch.tensor([1.0, 1.0, 0.0])
    known = torch.ones(3, dtype=torch.bool)
    assert mean_residual(residual, weight, torch.zeros(3), known).item() == pytest.approx(2.0)
    assert mean_residual(residual, torch.zeros(3), torch.zeros(3), known).item() == 0.0


def test_shrinking_before_an_unknown_background_does_not_pay():
    """A hand that misses its image by 0.2 everywhere: the loss must not depend on how much of it is shown."""
    share = torch.tensor([1.0, 0.6, 0.0, 0.0], requires_grad=True)
    loss = mean_residual(0.2 * share, torch.ones(4), share, torch.zeros(4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == pytest.approx(0.2)
    assert share.grad is not None
    assert share.grad.abs().max() < 1e-6


def test_silhouette_is_the_area_of_disagreement_and_ignores_the_unknown():
    coverage = torch.tensor([1.0, 0.25, 0.5, 0.9], requires_grad=True)
    hand_share, weight = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
    loss = silhouette_loss(coverage, hand_share, weight)
    loss.backward()
    assert loss.item() == pytest.approx((0.75 + 0.5) / 3)
    assert coverage.grad is not None
    assert coverage.grad[1:].tolist() == pytest.approx([-1 / 3, 1 / 3, 0.0])
    assert silhouette_loss(coverage, hand_share, torch.zeros(4)).item() == 0.0


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

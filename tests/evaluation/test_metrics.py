"""Errors against truth, on cases that are known beforehand."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.evaluation.metrics import aligned, mean_distance_mm, psnr_ratio, reprojection_px, texture_psnr_db
from handrefine.sequence import Camera


def points(seed: int = 0, n_frames: int = 3, n_points: int = 21) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n_frames, n_points, 3, generator=generator, dtype=torch.float64)


def camera(name: str = "a", f: float = 500.0) -> Camera:
    return Camera(name, 200, 100, f, 2 * f, 100.0, 50.0, np.eye(3), np.array([0.0, 0.0, 1.0]))


def test_a_shift_of_ten_millimetres_is_ten_millimetres():
    truth = points()
    moved = truth + 0.01 * torch.nn.functional.normalize(points(1), dim=-1)
    assert mean_distance_mm(moved, truth) == pytest.approx(10.0, rel=1e-9)


def test_points_without_truth_are_left_out():
    truth, moved = points(), points() + torch.tensor([0.0, 0.003, 0.004])
    valid = torch.ones(3, 21, dtype=torch.bool)
    valid[1] = False
    moved[1] = torch.nan
    assert mean_distance_mm(moved, truth, valid) == pytest.approx(5.0)
    assert mean_distance_mm(moved, truth, torch.zeros_like(valid)) is None


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.5, 2.0))
def test_alignment_takes_away_every_similarity(seed: int, scale: float):
    truth = points(seed)
    generator = torch.Generator().manual_seed(seed)
    R = roma.rotvec_to_rotmat(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    moved = scale * truth @ R.mT + torch.randn(3, 1, 3, generator=generator, dtype=torch.float64)
    assert mean_distance_mm(aligned(moved, truth), truth) == pytest.approx(0.0, abs=1e-8)


def test_rigid_alignment_keeps_scale_errors():
    truth = points()
    assert mean_distance_mm(aligned(1.1 * truth, truth, with_scale=False), truth) > 1.0
    assert mean_distance_mm(aligned(truth + 1.0, truth, with_scale=False), truth) == pytest.approx(0, abs=1e-9)


def test_alignment_never_mirrors():
    truth = points()
    assert mean_distance_mm(aligned(truth * torch.tensor([-1.0, 1, 1]), truth), truth) > 1.0


def test_reprojection_by_hand():
    """At depth 1 a shift of 4 mm moves by 500 x 0.004 = 2 px in x and by 1000 x 0.004 = 4 px in y."""
    truth = torch.zeros(2, 21, 3)
    moved = truth.clone()
    moved[0, :, 0], moved[1, :, 1] = 0.004, 0.004
    assert reprojection_px(moved, truth, [(0, camera())]) == pytest.approx(2.0, rel=1e-4)
    assert reprojection_px(moved, truth, [(0, camera()), (1, camera())]) == pytest.approx(3.0, rel=1e-4)
    assert reprojection_px(moved, truth, []) is None


def test_joints_behind_the_camera_are_left_out():
    truth = torch.zeros(1, 21, 3)
    truth[0, 3, 2] = -5.0
    moved = truth + torch.tensor([0.004, 0.0, 0.0])
    assert reprojection_px(moved, truth, [(0, camera())]) == pytest.approx(2.0, rel=1e-4)


def test_texture_error_is_that_of_the_seen_texels_up_to_a_colour_transform():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(64, 64, 3, generator=generator)
    noise = 0.01 * torch.randn(64, 64, 3, generator=generator)
    seen = torch.zeros(64, 64, dtype=torch.bool)
    seen[8:56] = True
    estimate = truth.clone()
    estimate[~seen] = 0.0
    mixed = estimate @ torch.tensor([[0.5, 0.1, 0.0], [0.0, 0.7, 0.2], [0.1, 0.0, 0.9]]) + 0.05
    perfect, noisy = texture_psnr_db(mixed, truth, seen), texture_psnr_db(estimate + noise, truth, seen)
    assert perfect is not None
    assert perfect > 90
    # 40 dB for noise of 0.01; the fit takes away 12 of 27648 degrees of freedom and a little attenuation.
    assert noisy == pytest.approx(40.0, abs=0.1)
    assert texture_psnr_db(mixed, truth, torch.zeros_like(seen)) is None


def test_a_constant_texture_scores_the_truths_own_variance():
    truth = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = -10 * math.log10(float(truth.flatten(0, 1).var(dim=0, correction=0).mean()))
    psnr = texture_psnr_db(torch.full_like(truth, 0.5), truth, torch.ones(32, 32, dtype=torch.bool))
    assert psnr == pytest.approx(expected, abs=1e-3)


def test_psnr_ratio():
    assert psnr_ratio([30.0, 33.0], [30.0, 30.0]) == pytest.approx(1.05)

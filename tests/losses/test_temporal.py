"""The bilateral prior: what it leaves alone, what it smooths, what it keeps sharp."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_iterates import pose_of, setup_of, video_hand

from handrefine.errors import InputError
from handrefine.losses.base import Residuals
from handrefine.losses.norms import euclidean
from handrefine.losses.temporal import TemporalConfig, bilateral_filter, roughness
from handrefine.sequence import FrameId


def temporal_prior(articulation_aa: torch.Tensor, frames: Iterable[int], **settings: Any) -> torch.Tensor:
    rough = roughness(articulation_aa, [FrameId(frame) for frame in frames], TemporalConfig(**settings))
    return Residuals(rough, euclidean, count=float(max(1, len(rough)))).value()


def noise(n_frames: int, seed: int = 0) -> torch.Tensor:
    return 0.2 * torch.randn(n_frames, 45, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=20, deadline=None)
@given(frames=st.lists(st.integers(0, 500), min_size=3, max_size=8, unique=True), seed=st.integers(0, 99))
def test_a_hand_that_keeps_still_costs_nothing(frames: list[int], seed: int):
    still = noise(1, seed).expand(len(frames), 45)
    assert temporal_prior(still, sorted(frames)).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("window", [3, 5])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("order", [0, 1])
def test_a_steady_motion_costs_nothing(window: int, stride: int, order: Literal[0, 1]):
    steady = torch.arange(7, dtype=torch.float64)[:, None] * noise(1) + noise(1, 1)
    frames = range(0, 7 * stride, stride)
    assert temporal_prior(steady, frames, window=window, order=order).item() == pytest.approx(0, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(frames=st.lists(st.integers(0, 30), min_size=3, max_size=8, unique=True), seed=st.integers(0, 99))
def test_nor_does_it_at_uneven_gaps(frames: list[int], seed: int):
    """Down to rounding: beyond a gap of many medians all weights vanish, and with them what they say."""
    time = torch.tensor(sorted(frames), dtype=torch.float64)[:, None]
    assert temporal_prior(0.1 * time * noise(1, seed), sorted(frames)).item() == pytest.approx(0, abs=1e-9)
    # The paper's mean, where one neighbour is half as far as the other.
    assert temporal_prior(torch.tensor([[0.0], [1.0], [3.0]]) * noise(1, seed).float(), [0, 1, 3], order=0) > 1e-4


@pytest.mark.parametrize("n_frames", [1, 2])
def test_too_few_frames_have_no_prior(n_frames: int):
    values = noise(n_frames).requires_grad_()
    loss = temporal_prior(values, range(n_frames))
    loss.backward()
    assert loss.item() == 0.0
    assert values.grad is not None
    assert (values.grad == 0).all()


def test_a_spike_by_hand():
    """One joint of three frames at 0, 0.3, 0 rad: both neighbours weigh exp(-2) exp(-0.3^2 / (2 0.6^2))."""
    values = torch.zeros(3, 45, dtype=torch.float64)
    values[1, 6] = 0.3
    weight = math.exp(-2) * math.exp(-0.125)
    expected = (0.3 - 0.3 / (1 + 2 * weight)) / 15
    assert temporal_prior(values, [0, 1, 2]).item() == pytest.approx(expected, rel=1e-9)


def test_an_abrupt_move_is_kept_sharper_than_by_a_plain_mean():
    step = torch.zeros(5, 1, 3)
    step[3:] = 2.0
    time = torch.arange(5.0)
    kept = (bilateral_filter(step, time, TemporalConfig())[1] - step[2]).abs().max()
    blurred = (bilateral_filter(step, time, TemporalConfig(sigma=1e6))[1] - step[2]).abs().max()
    assert kept < 0.01 * blurred


def test_a_neighbour_beyond_a_gap_weighs_less_and_the_stride_does_not_matter():
    values = noise(5)
    every, third = temporal_prior(values, [0, 1, 2, 3, 4]), temporal_prior(values, [7, 10, 13, 16, 19])
    assert every.item() == pytest.approx(third.item(), rel=1e-9)
    spike = torch.zeros(5, 45, dtype=torch.float64)
    spike[2] = 0.3
    spread = temporal_prior(spike, [0, 1, 2, 9, 10])
    assert spread < temporal_prior(spike, [0, 1, 2, 3, 4])


@pytest.mark.parametrize("order", [0, 1])
def test_gradient_is_that_of_the_filter_with_its_weights_held(order: Literal[0, 1]):
    """Against central differences of a linear filter whose weights are those at the point (float64, 1e-6)."""
    values = noise(5).requires_grad_()
    frames = [0, 2, 3, 5, 9]
    temporal_prior(values, frames, order=order).backward()
    joints = values.detach().unflatten(1, (15, 3))
    time = torch.tensor(frames, dtype=torch.float64) / 2

    def held(t: int, s: int) -> torch.Tensor:
        distance = (joints[s] - joints[t]).square().sum(dim=1)
        return torch.exp(-((time[s] - time[t]) ** 2) / (2 * 0.5**2) - distance / (2 * 0.6**2))[:, None]

    def shares(t: int, weights: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        """The share of each frame in what the mean or the fitted line says of t: a 2 x 2 system a joint."""
        moments = [sum(w * (time[s] - time[t]) ** k for s, w in weights.items()) for k in range(3)]
        if order == 0:
            return {s: w / moments[0] for s, w in weights.items()}
        determinant = moments[0] * moments[2] - moments[1] ** 2
        return {s: w * (moments[2] - moments[1] * (time[s] - time[t])) / determinant for s, w in weights.items()}

    def loss(x: torch.Tensor) -> torch.Tensor:
        x, norms = x.unflatten(1, (15, 3)), []
        for t in (1, 2, 3):
            weights = {s: held(t, s) for s in (t - 1, t, t + 1)}
            fitted = sum(share * x[s] for s, share in shares(t, weights).items())
            norms.append((x[t] - fitted).square().sum(dim=1).sqrt())
        return torch.stack(norms).mean()

    assert values.grad is not None
    for index in [(0, 4), (2, 17), (4, 44)]:
        step = torch.zeros_like(joints.flatten(1))
        step[index] = 1e-5
        difference = (loss(values.detach() + step) - loss(values.detach() - step)) / 2e-5
        assert values.grad[index].item() == pytest.approx(difference.item(), rel=1e-6)


def test_descending_smooths_jitter():
    values = noise(8).requires_grad_()
    before = values.detach().diff(dim=0).abs()
    optimizer = torch.optim.Adam([values], lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        temporal_prior(values, range(8)).backward()
        optimizer.step()
    after = values.detach().diff(dim=0).abs()
    assert after.mean() < 0.5 * before.mean()
    assert after.max() < before.max()


def test_a_window_of_one_frame_leaves_everything_as_it_is():
    assert temporal_prior(noise(6), range(6), window=1).item() == 0


def test_an_even_window_is_refused():
    hand = video_hand(pose_of(np.zeros((2, 48))))
    with pytest.raises(InputError, match="odd"):
        TemporalConfig(window=4).build(setup_of([hand]))

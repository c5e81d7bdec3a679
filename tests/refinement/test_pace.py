"""A stage's rates, and its end: by count where nothing else is asked for, else by a loss that is noisy."""

import math

import numpy as np
import pytest

from handrefine.refinement.pace import LossTrend, Pace
from handrefine.refinement.schedule import StageConfig


def run(config: StageConfig, losses, n_batches: int = 1) -> tuple[list[float], str]:
    """Rates of all iterations, and why the stage ended; losses: of the iteration's number."""
    pace, rates = Pace(config, n_batches), []
    while pace.ended is None:
        rates.append(pace.rate)
        pace.advance(losses(len(rates) - 1))
    return rates, pace.ended


def noisy(level, noise: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    return lambda k: level(k) + noise * rng.normal()


def flat(k: int) -> float:
    return 1.0


def falling(k: int) -> float:
    return math.exp(-0.01 * k)


@pytest.mark.parametrize("iterations", [1, 2, 7])
@pytest.mark.parametrize("losses", [flat, falling])
def test_without_a_most_a_stage_ends_by_its_count_along_half_a_cosine(iterations: int, losses):
    rates, ended = run(StageConfig(iterations=iterations, initial_rate=1.0, final_rate=0.2), losses)
    expected = 0.2 + 0.4 * (1 + np.cos(np.pi * np.arange(iterations) / max(1, iterations - 1)))
    np.testing.assert_allclose(rates, expected)
    assert ended == f"after {iterations} iterations"


@pytest.mark.parametrize("seed", range(3))
def test_a_settled_loss_hurries_to_the_last_rates(seed: int):
    config = StageConfig(iterations=60, most_iterations=120, final_rate=0.1)
    rates, ended = run(config, noisy(flat, 0.003, seed))
    assert 24 < len(rates) < 45
    assert rates[-1] == pytest.approx(0.1)
    assert "settled" in ended


@pytest.mark.parametrize("seed", range(3))
def test_a_falling_loss_gets_more_but_not_without_end(seed: int):
    config = StageConfig(iterations=30, most_iterations=50, final_rate=0.3)
    rates, ended = run(config, noisy(falling, 0.005, seed))
    assert len(rates) == 50
    assert rates[-20:] == pytest.approx([0.3] * 20)
    assert "still falls" in ended


def test_a_hard_case_ends_once_its_loss_has_stopped_to_fall():
    config = StageConfig(iterations=30, most_iterations=200, final_rate=0.3)
    rates, ended = run(config, noisy(lambda k: math.exp(-0.01 * min(k, 60)), 0.002))
    assert 45 < len(rates) < 75
    assert "while the loss fell" in ended


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [flat, falling])
def test_noise_decides_nothing(level, seed: int):
    """Where noise hides whether the loss falls, the count is kept."""
    rates, ended = run(StageConfig(iterations=40, most_iterations=80), noisy(level, 0.3, seed))
    assert len(rates) == 40
    assert ended == "after 40 iterations"


def test_batches_at_levels_of_their_own_are_no_noise():
    trend = LossTrend(3)
    for k in range(20):
        trend.note((1.0, 2.0, 0.5)[k % 3] - 0.002 * k)
    fall, error = trend.fall() or (math.nan, math.nan)
    assert fall == pytest.approx(0.02 / 1.14, rel=0.05)
    assert error < 1e-6


def test_losses_that_are_no_numbers_decide_nothing():
    assert run(StageConfig(iterations=30, most_iterations=60), lambda k: math.nan)[1] == "after 30 iterations"

"""What is learned of a background over time, and when nothing is: painted videos of a disc that moves."""

import numpy as np
import pytest

from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.preprocess.masks.steady_background import Grade, learn_background

HEIGHT, WIDTH = 90, 150
HAND_COLOUR = np.array([200, 150, 130])
PLACES = (30, 60, 90, 120, 45, 105)


def disc(x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.hypot(columns - x, rows - 45) <= radius


def wall(shift: int = 0) -> np.ndarray:
    """Squares of any colour but the hand's."""
    colours = np.random.default_rng(1).integers(20, 130, (9, 15, 3))
    return np.roll(np.kron(colours, np.ones((10, 10, 1))), shift, axis=1)


def video(
    places: tuple[int, ...], walls: list[np.ndarray] | None = None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Noisy pictures, and where the disc may be."""
    generator = np.random.default_rng(0)
    walls = [wall()] * len(places) if walls is None else walls
    scenes = [np.where(disc(x, 14)[..., None], HAND_COLOUR, of) for x, of in zip(places, walls, strict=True)]
    pictures = [np.clip(s + generator.normal(0, 3, s.shape), 0, 255).astype(np.uint8) for s in scenes]
    return pictures, [disc(x, 20) for x in places]


def brighter(picture: np.ndarray, gain: float) -> np.ndarray:
    return linear_to_srgb8((gain * srgb8_to_linear(picture)).clip(0, 1))


def test_a_background_that_was_seen_is_told_from_what_stands_before_it():
    pictures, covered = video(PLACES)
    background = learn_background(pictures, covered)
    assert background.known.mean() > 0.95
    for picture, around, x in zip(pictures, covered, PLACES, strict=True):
        grades = background.grades(picture, around)
        assert (grades[disc(x, 12)] == Grade.OTHER).mean() > 0.95
        assert (grades[~disc(x, 16) & background.known] == Grade.SAME).mean() > 0.97


def test_a_hand_that_keeps_still_is_no_background():
    pictures, covered = video((60,) * 6)
    background = learn_background(pictures, covered)
    assert not background.known[covered[0]].any()
    assert (background.grades(pictures[0], covered[0])[covered[0]] == Grade.UNSEEN).all()


def test_what_is_seen_seldom_or_otherwise_every_time_is_unknown():
    pictures, covered = video(PLACES[:2])
    assert not learn_background(pictures, covered).known.any()
    walls = [wall() for _ in PLACES]
    for k, of in enumerate(walls):
        of[:20, :40] = 40 * k
    assert not learn_background(*video(PLACES, walls)).known[2:18, 2:38].any()


@pytest.mark.parametrize("gain", [0.7, 1.4])
def test_another_exposure_is_no_change(gain: float):
    pictures, covered = video(PLACES)
    pictures[3] = brighter(pictures[3], gain)
    background = learn_background(pictures, covered)
    grades = background.grades(pictures[3], covered[3])
    beside = ~disc(PLACES[3], 16) & background.known
    assert (grades[beside] == Grade.OTHER).mean() < 0.02
    assert (grades[beside] == Grade.SAME).mean() > 0.8
    assert (grades[disc(PLACES[3], 12)] == Grade.OTHER).mean() > 0.95


def test_a_shadow_is_not_another_thing():
    pictures, covered = video(PLACES)
    background = learn_background(pictures, covered)
    shaded = np.where(disc(75, 10)[..., None], 0.6 * pictures[0], pictures[0]).astype(np.uint8)
    grades = background.grades(shaded, covered[0])
    assert (grades[disc(75, 8)] == Grade.OTHER).mean() < 0.05


def test_a_camera_that_moves_is_not_steady():
    still = learn_background(*video(PLACES))
    moved = learn_background(*video(PLACES, [wall(5 * k) for k in range(len(PLACES))]))
    assert still.steady > 0.95
    assert moved.steady < 0.6

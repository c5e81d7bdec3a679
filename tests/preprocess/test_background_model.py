"""The background plate, on painted videos of a disc that moves."""

import numpy as np
import pytest

from handrefine.preprocess.masks.background_model import background_plate, labels_by_plate
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN

HEIGHT, WIDTH = 100, 160
NOISE = 3.0


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.hypot(columns - x, rows - y) <= radius


def clutter() -> np.ndarray:
    """Stripes of any colour, the hand's among them."""
    colours = np.random.default_rng(1).integers(30, 220, (16, 3))
    colours[3] = HAND_COLOUR
    return np.repeat(np.repeat(colours, 10, axis=0)[None], HEIGHT, axis=0)


HAND_COLOUR = np.array([200, 150, 130])


def video(centres: list[int], seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Pictures, where the disc is, and where it may be."""
    generator = np.random.default_rng(seed)
    hands = [disc(x, 50, 20) for x in centres]
    scenes = [np.where(hand[..., None], HAND_COLOUR, clutter()) for hand in hands]
    pictures = [np.clip(s + generator.normal(0, NOISE, s.shape), 0, 255).astype(np.uint8) for s in scenes]
    return pictures, hands, [disc(x, 50, 30) for x in centres]


def test_the_plate_is_the_background_where_it_was_seen():
    pictures, _, covered = video([40, 80, 120, 60, 100])
    plate = background_plate(pictures, covered)
    assert plate.known.all()
    assert np.abs(plate.rgb.astype(float) - clutter()).mean() < NOISE
    # A mean of nine pixels has a third of the noise, and the plate itself adds its own.
    assert NOISE / 4 < plate.noise_levels < NOISE


def test_what_differs_is_hand_and_what_does_not_is_not():
    pictures, hands, covered = video([40, 80, 120, 60, 100])
    plate = background_plate(pictures, covered)
    for picture, hand in zip(pictures, hands, strict=True):
        label = labels_by_plate(picture, plate)
        other_colour = np.abs(clutter() - HAND_COLOUR).max(axis=2) > 25
        inside, outside = hand & other_colour, ~hand
        assert (label[inside] == HAND).mean() > 0.93
        assert (label[outside] == NOT_HAND).mean() > 0.97
        assert (label[outside] == HAND).mean() < 0.02


def test_what_was_always_covered_is_unknown():
    pictures, _, covered = video([70, 75, 80])
    plate = background_plate(pictures, covered)
    always = np.logical_and.reduce(covered)
    assert always.any()
    assert np.array_equal(plate.known, ~always)
    assert (labels_by_plate(pictures[0], plate)[always] == UNKNOWN).all()


@pytest.mark.parametrize(("share", "wanted"), [(0.7, UNKNOWN), (0.2, HAND)])
def test_a_shadow_is_not_called_hand(share: float, wanted: int):
    pictures, _, covered = video([20, 140, 20])
    plate = background_plate(pictures, covered)
    shadow = disc(80, 50, 12)
    picture = np.where(shadow[..., None], share * clutter(), clutter()).astype(np.uint8)
    label = labels_by_plate(picture, plate)
    inside = disc(80, 50, 8) & (clutter().max(axis=2) > 100)
    assert (label[inside] == wanted).mean() > 0.95


def test_passers_by_do_not_enter_the_median():
    pictures, _, covered = video([20] * 5)
    pictures[2][:, 100:110] = 255
    plate = background_plate(pictures, covered)
    assert np.abs(plate.rgb[:, 100:110].astype(float) - clutter()[:, 100:110]).mean() < NOISE

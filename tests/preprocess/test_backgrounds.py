"""Labels by colour where other frames show the background: a painted hand beside a patch in the colour of skin."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from test_mask_source import CAMERAS, HEIGHT, WIDTH, camera, joints_px, skin_of, window

from handrefine.colour import srgb8_to_linear
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, LabelConfig
from handrefine.preprocess.masks.mask_source import SkinSource
from handrefine.sequence import FrameId, FrameIndex, HandSequence

SKIN = (205, 150, 125)
#: Where the hand is at frame 0, and where it is later.
FIRST, LATER = 90.0, 215.0


def patch() -> np.ndarray:
    """A square in the colour of skin, right beside the first frame's fingers."""
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[70:105, 133:160] = True
    return region


def reader(x: float, seed: int, gain: float) -> Callable[[], np.ndarray]:
    noise = np.random.default_rng(seed).normal(0, 4, (HEIGHT, WIDTH, 3))
    picture = np.where((skin_of(x) | patch())[..., None], SKIN, (60, 120, 90)) + noise
    return lambda: gain * srgb8_to_linear(np.clip(picture, 0, 255).astype(np.uint8))


def source(places: tuple[float, ...], gains: tuple[float, ...] | None = None) -> SkinSource:
    gains = (1.0,) * len(places) if gains is None else gains
    keys = [(FrameIndex(k), name) for k in range(len(places)) for name in CAMERAS]
    sequence = HandSequence(
        name="painted",
        cameras={name: camera(name) for name in CAMERAS},
        frames=tuple(FrameId(k) for k in range(len(places))),
        images={key: reader(places[key[0]], seed, gains[key[0]]) for seed, key in enumerate(keys)},
        annotations={},
    )
    flat = np.stack([np.concatenate([joints_px(x) / 1000, np.zeros((21, 1))], axis=1) for x in places])
    return SkinSource(sequence, [torch.tensor(flat)], LabelConfig())


def first(of: SkinSource) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of the first frame, and what is skin and the patch in it."""
    label = of.labels((FrameIndex(0), "a"), window())
    assert label is not None
    skin = window().cut(skin_of(FIRST))
    return label, skin, window().cut(patch()) & ~skin


MOVING = (FIRST, LATER, LATER, FIRST, LATER, LATER)


def test_other_frames_show_that_a_patch_of_skins_colour_is_background():
    label, skin, beside = first(source(MOVING))
    assert (label[beside] == NOT_HAND).mean() > 0.85
    assert (label[skin] == NOT_HAND).mean() < 0.02
    alone, _, _ = first(source((FIRST,)))
    assert (alone[beside] == NOT_HAND).mean() < 0.02


def test_a_hand_that_keeps_still_is_not_eaten():
    label, skin, _ = first(source((FIRST,) * 6))
    assert (label[skin] == NOT_HAND).mean() < 0.01
    alone, _, _ = first(source((FIRST,)))
    assert (label == HAND)[skin].mean() > (alone == HAND)[skin].mean() - 0.02


@pytest.mark.parametrize("gain", [0.75, 1.2])
def test_an_exposure_of_its_own_does_not_make_everything_hand(gain: float):
    label, skin, beside = first(source(MOVING, (gain, *(1.0,) * 5)))
    assert (label[~skin & ~beside] == HAND).mean() < 0.01
    assert (label[beside] == HAND).mean() < 0.1


def test_it_is_said_what_the_frames_show(caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO"):
        first(source(MOVING))
    assert "camera a: " in caplog.text
    assert "% of the background about the hands is known from other frames" in caplog.text

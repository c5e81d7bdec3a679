"""Skin told by colour, on painted pictures whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from handrefine import regions
from handrefine.preprocess.masks import colour_segmentation
from handrefine.preprocess.masks.colour_segmentation import (
    DOUBT,
    fit_colour_models,
    is_plausible,
    segment,
    surroundings,
)
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN

HEIGHT, WIDTH = 220, 240
LENGTH = 100.0
SKIN, GREEN, WHITE = (205, 150, 125), (60, 120, 90), (255, 255, 255)


def upright_hand(wrist_x: float = 110.0, wrist_y: float = 160.0) -> np.ndarray:
    """21 joints of a flat hand that points up the image; the middle finger's tip is 100 px above the wrist."""
    joints = [(0.0, 0.0), *((20.0 * (k - 2), -(40.0 + 20 * j)) for k in range(5) for j in range(4))]
    return np.array(joints) + np.array([wrist_x, wrist_y])


def skin_of(joints: np.ndarray) -> np.ndarray:
    """Fingers 14 px wide, a palm and a forearm down to the picture's border."""
    skin = regions.dilated(regions.bones(joints, HEIGHT, WIDTH), 7)
    x, y = joints[0].astype(int)
    skin[y - 40 : y, x - 40 : x + 40] = True
    skin[y:, x - 25 : x + 25] = True
    return skin


def painted(skin: np.ndarray, seed: int = 0, background: tuple[int, int, int] = GREEN) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 6, (*skin.shape, 3))
    return np.clip(np.where(skin[..., None], SKIN, background) + noise, 0, 255).astype(np.uint8)


def dark_and_noisy(skin: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 13, (*skin.shape, 3))
    return np.clip(np.where(skin[..., None], (72, 52, 44), (52, 62, 70)) + noise, 0, 255).astype(np.uint8)


def models_of(picture: np.ndarray, joints: np.ndarray):
    models = fit_colour_models([picture], [[joints]])
    assert models is not None
    return models


@pytest.mark.parametrize("shift", [(0, 0), (8, 6), (-10, 5)])
def test_a_hand_and_its_forearm_are_found_by_an_annotation_that_is_off(shift: tuple[int, int]):
    joints = upright_hand()
    skin = skin_of(joints)
    picture = painted(skin)
    annotated = joints + np.array(shift)
    label = segment(picture, models_of(picture, annotated), LENGTH)
    assert ((label == HAND) != skin).mean() < 0.003
    assert is_plausible(label, [annotated])


def test_a_second_hand_is_skin_as_well():
    joints, other = upright_hand(70), upright_hand(180)
    skin = skin_of(joints) | skin_of(other)
    picture = painted(skin)
    models = fit_colour_models([picture], [[joints, other]])
    assert models is not None
    assert ((segment(picture, models, LENGTH) == HAND) != skin).mean() < 0.003


def test_colours_learned_at_one_frame_serve_at_another():
    first, second = upright_hand(80), upright_hand(150)
    models = models_of(painted(skin_of(first)), first)
    label = segment(painted(skin_of(second), seed=1), models, LENGTH)
    assert ((label == HAND) != skin_of(second)).mean() < 0.003


def test_what_looks_like_skin_and_like_background_is_not_said_to_be_either():
    """A patch of the background has the skin's colour, wide enough that neither class can claim it."""
    joints = upright_hand()
    skin = skin_of(joints)
    twin = np.zeros_like(skin)
    twin[:, 190:] = True
    picture = painted(skin | twin)
    label = segment(picture, models_of(picture, joints), LENGTH)
    assert (label[twin] == UNKNOWN).mean() > 0.9
    background = ~regions.dilated(skin | twin, 2)
    assert (label[background] == NOT_HAND).mean() > 0.99


def test_a_dark_and_noisy_camera_still_shows_its_hand():
    """No pixel's colour tells much, the hand's many pixels do: with the full doubt nothing would be certain."""
    joints = upright_hand()
    skin = skin_of(joints)
    picture = dark_and_noisy(skin)
    models = models_of(picture, joints)
    assert 0 < models.doubt < 0.7 * DOUBT
    label = segment(picture, models, LENGTH)
    assert (label[skin] == HAND).mean() > 0.9
    assert ((label == NOT_HAND) & skin).sum() < 0.03 * skin.sum()
    assert (label[~regions.dilated(skin, 4)] != HAND).all()  # narrow gaps between fingers are lost
    assert (segment(picture, replace(models, doubt=DOUBT), LENGTH)[skin] == HAND).mean() < 0.1


def test_the_doubt_stays_where_the_background_would_become_skin(monkeypatch: pytest.MonkeyPatch):
    joints = upright_hand()
    picture = dark_and_noisy(skin_of(joints))
    monkeypatch.setattr(colour_segmentation, "OF_ODDS", -3.0)  # a prior that calls everything skin
    assert models_of(picture, joints).doubt == DOUBT


def test_a_hand_of_the_backgrounds_colour_cannot_be_learned():
    joints = upright_hand()
    picture = painted(skin_of(joints), background=SKIN)
    models = fit_colour_models([picture], [[joints]])
    assert models is None or not is_plausible(segment(picture, models, LENGTH), [joints])
    assert fit_colour_models([picture[150:160, 100:110]], [[joints - np.array([100, 150])]]) is None


def test_a_blown_highlight_on_the_hand_is_unknown_and_a_lamp_beside_it_is_not_hand():
    joints = upright_hand()
    skin = skin_of(joints)
    picture = painted(skin)
    tip = joints[12].astype(int)
    highlight = np.zeros_like(skin)
    highlight[tip[1] - 5 : tip[1] + 4, tip[0] - 6 : tip[0] + 6] = True
    lamp = np.zeros_like(skin)
    lamp[120:, 160:] = True
    picture[highlight | lamp] = WHITE
    label = segment(picture, models_of(picture, joints), LENGTH)
    assert (label[highlight & skin] != NOT_HAND).all()
    assert (label[130:, 170:] == NOT_HAND).all()


def test_labels_elsewhere_or_everywhere_are_not_plausible():
    joints = upright_hand()
    label = np.where(skin_of(joints), HAND, NOT_HAND).astype(np.int8)
    assert is_plausible(label, [joints])
    assert not is_plausible(label, [joints + np.array([90.0, -30.0])])
    assert not is_plausible(np.full_like(label, HAND), [joints])
    assert not is_plausible(np.full_like(label, NOT_HAND), [joints])
    assert not is_plausible(np.full_like(label, UNKNOWN), [joints])


def test_forearms_and_hands_are_no_background():
    joints = upright_hand()
    around = surroundings([joints], HEIGHT, WIDTH)
    assert not (around.background & skin_of(joints)).any()
    assert around.background[10, 200]
    nothing = surroundings([np.full((21, 2), np.nan)], HEIGHT, WIDTH)
    assert nothing.background.all()
    assert not nothing.bones.any()


def test_grey_pictures_serve_as_well():
    joints = upright_hand()
    skin = skin_of(joints)
    picture = np.repeat(painted(skin)[..., :1], 3, axis=2)
    label = segment(picture, models_of(picture, joints), LENGTH)
    assert ((label == HAND) != skin).mean() < 0.01

"""What labels by colour make of a held thing: it teaches no skin, and hides what it hides."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import test_colour_segmentation as upright
from test_mask_source import HEIGHT, WIDTH, painted_video, skin_of, window

from handrefine import regions
from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.preprocess.masks.colour_segmentation import fit_colour_models, segment
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN, LabelConfig
from handrefine.preprocess.masks.mask_source import SkinSource
from handrefine.preprocess.masks.things_beside import ThingsBeside
from handrefine.sequence import FrameIndex, ViewKey

PLACES = (90.0, 110.0)


def test_a_thing_before_the_palm_teaches_no_skin():
    """Of a bar across the palm the part before the hand is known; the rest sticks out on the right."""
    joints = upright.upright_hand()
    picture = upright.painted(upright.skin_of(joints))
    bar, known = np.zeros((2, upright.HEIGHT, upright.WIDTH), bool)
    bar[115:150, 50:200] = True
    known[115:150, 50:155] = True
    picture[bar] = (60, 70, 190)
    rest = regions.distance_px(~bar | known) > 1

    def told(things: list[np.ndarray] | None) -> np.ndarray:
        models = fit_colour_models([picture], [[joints]], things)
        assert models is not None
        return segment(picture, models, upright.LENGTH)

    assert not (told(None)[rest] == NOT_HAND).any()
    label = told([known])
    assert (label[rest] == NOT_HAND).all()
    assert (label[upright.skin_of(joints) & ~bar] == HAND).mean() > 0.98


def board(x: float) -> np.ndarray:
    """Over all of the hand but the fingers' ends."""
    hides = np.zeros((HEIGHT, WIDTH), bool)
    hides[80:190, round(x) - 60 : round(x) + 60] = True
    return hides


def test_a_view_tells_skin_though_a_thing_hides_most_of_the_hand():
    """In the background's colour, so that little of the joints' hull is skin: the hand might be elsewhere."""
    sequence, joints = painted_video(PLACES)
    images: dict[ViewKey, Callable[[], np.ndarray]] = {}
    objects: dict[ViewKey, Callable[[], np.ndarray]] = {}
    for key, read in sequence.images.items():
        picture, hides = linear_to_srgb8(read()), board(PLACES[key[0]])
        picture[hides] = picture[:110, 180:][:, :1].repeat(120, axis=1).reshape(-1, 3)
        images[key], objects[key] = partial(srgb8_to_linear, picture), partial(board, PLACES[key[0]])
    sequence = replace(sequence, images=images, objects=objects)

    def told(source: Literal["given", "none"]) -> np.ndarray | None:
        things = ThingsBeside(sequence, [joints], source, over_black=False)
        return SkinSource(sequence, [joints], LabelConfig(), things=things).labels((FrameIndex(0), "a"), window())

    assert told("none") is None
    label = told("given")
    assert label is not None
    hidden = window().cut(board(PLACES[0]))
    assert (label[hidden] == UNKNOWN).all()
    assert (label[window().cut(skin_of(PLACES[0])) & ~hidden] == HAND).mean() > 0.8

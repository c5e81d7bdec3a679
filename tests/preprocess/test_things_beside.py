"""Things before a painted hand: found by their colours, taken from given masks, or not looked for."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch
from test_mask_source import CAMERAS, HEIGHT, WIDTH, painted_video, skin_of, window

from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.preprocess.crops import CropConfig
from handrefine.preprocess.masks.labels import LabelConfig
from handrefine.preprocess.masks.things_beside import ThingsBeside
from handrefine.preprocess.observations import observe
from handrefine.sequence import HandSequence

PLACES = (90.0, 110.0)


def bar(x: float) -> np.ndarray:
    """Across the palm, and out of the hand on either side."""
    bar = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(bar, (round(x) - 55, 108), (round(x) + 50, 126), 1, -1)
    return bar > 0


def with_bar(colour: tuple[int, int, int] = (60, 70, 190)) -> tuple[HandSequence, torch.Tensor]:
    sequence, joints = painted_video(PLACES)
    images = {}
    for key, read in sequence.images.items():
        picture = linear_to_srgb8(read())
        picture[bar(PLACES[key[0]])] = colour
        images[key] = partial(srgb8_to_linear, picture)
    return replace(sequence, images=images), joints


def test_a_bar_is_found_by_its_colour_and_the_hand_is_not_lost():
    sequence, joints = with_bar()
    things = ThingsBeside(sequence, [joints], "auto", over_black=False)
    for k, x in enumerate(PLACES):
        found = things.region((k, "a"), window())
        expected, hand = window().cut(bar(x)), window().cut(skin_of(x) & ~bar(x))
        assert (found & expected).sum() > 0.95 * expected.sum()
        assert (found & hand).sum() < 0.1 * hand.sum()


def test_nothing_is_found_where_there_is_nothing():
    sequence, joints = painted_video(PLACES)
    things = ThingsBeside(sequence, [joints], "auto", over_black=False)
    assert not things.region((0, "a"), window()).any()


def test_a_thing_in_the_colour_of_what_lies_behind_is_none():
    sequence, joints = with_bar((60, 120, 90))
    assert ThingsBeside(sequence, [joints], "auto", over_black=False).region((0, "a"), window()).sum() < 20


def test_given_masks_come_first_and_may_be_ignored():
    sequence, joints = with_bar()
    given = replace(sequence, objects={(0, "a"): lambda: bar(10.0)})
    for source, expected in (("given", window().cut(bar(10.0))), ("auto", window().cut(bar(10.0)))):
        found = ThingsBeside(given, [joints], source, over_black=False).region((0, "a"), window())
        np.testing.assert_array_equal(found, expected)
    assert ThingsBeside(given, [joints], "given", over_black=False).region((1, "a"), window()) is None
    assert ThingsBeside(given, [joints], "none", over_black=False).region((0, "a"), window()) is None


def test_what_shows_a_thing_says_nothing_of_the_hand():
    """Neither as a label nor by its colour, whether it lies before the hand or beside it."""
    from handrefine.hand.model import HandGeometry

    sequence, joints = with_bar()
    sequence = replace(sequence, objects={(k, c): partial(bar, x) for k, x in enumerate(PLACES) for c in CAMERAS})
    hand = HandGeometry(joints.float(), joints.float())

    def silent(objects: str) -> float:
        config = LabelConfig(source="none", objects=objects)
        seen = observe(sequence, [hand], None, config, CropConfig(), torch.device("cpu"))
        pictures = zip(seen.windows, seen.keys, seen.views.split(seen.colour_weight), strict=True)
        shares = [
            float((weight.numpy()[of.shrink(of.cut(bar(PLACES[k]))) > 0.9] == 0).mean())
            for of, (k, _), weight in pictures
        ]
        return min(shares)

    assert silent("given") == 1.0
    assert silent("none") < 0.9


def test_cameras_and_frames_keep_their_objects():
    sequence, _ = with_bar()
    sequence = replace(sequence, objects={(k, c): partial(bar, x) for k, x in enumerate(PLACES) for c in CAMERAS})
    assert set(sequence.with_cameras(["b"]).objects) == {(0, "b"), (1, "b")}
    later = sequence.with_frames([1])
    np.testing.assert_array_equal(later.objects[0, "a"](), bar(PLACES[1]))

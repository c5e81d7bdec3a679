"""Where skin is taken from, by configuration, on a painted video of two cameras."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np
import pytest
import torch

from handrefine import regions
from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.observations import CropWindow
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN, LabelConfig
from handrefine.preprocess.masks.mask_source import SkinSource
from handrefine.sequence import Camera, HandSequence

HEIGHT, WIDTH = 200, 260
CAMERAS = ("a", "b")


def camera(name: str) -> Camera:
    """One metre away, 1 mm a pixel."""
    return Camera(name, WIDTH, HEIGHT, 1000.0, 1000.0, 0.0, 0.0, np.eye(3), np.array([0.0, 0.0, 1.0]))


def joints_px(x: float) -> np.ndarray:
    """A flat hand that points up, its wrist at (x, 150) and its middle fingertip 90 px above."""
    joints = [(0.0, 0.0), *((18.0 * (k - 2), -(36.0 + 18 * j)) for k in range(5) for j in range(4))]
    return np.array(joints) + np.array([x, 150.0])


def skin_of(x: float) -> np.ndarray:
    skin = regions.dilated(regions.bones(joints_px(x), HEIGHT, WIDTH), 6)
    skin[115:200, round(x) - 28 : round(x) + 28] = True
    return skin


def reader(x: float, seed: int, clutter: np.ndarray | None = None) -> Callable[[], np.ndarray]:
    noise = np.random.default_rng(seed).normal(0, 5, (HEIGHT, WIDTH, 3))
    like_skin = skin_of(x) if clutter is None else skin_of(x) | clutter
    picture = np.where(like_skin[..., None], (205, 150, 125), (60, 120, 90)) + noise
    return lambda: srgb8_to_linear(np.clip(picture, 0, 255).astype(np.uint8))


def painted_video(
    places: tuple[float, ...],
    mask: Callable[[float], np.ndarray] | None = None,
    clutter: Mapping[int, np.ndarray] | None = None,
) -> tuple[HandSequence, torch.Tensor]:
    """The hand's wrist is at these columns at successive frames; the same in both cameras.

    clutter: what else looks like skin at some of the frames.
    """
    keys = [(k, name) for k in range(len(places)) for name in CAMERAS]
    given = {} if mask is None else {(k, name): partial(mask, places[k]) for k, name in keys}
    sequence = HandSequence(
        name="painted",
        cameras={name: camera(name) for name in CAMERAS},
        frames=tuple(range(len(places))),
        images={key: reader(places[key[0]], seed, (clutter or {}).get(key[0])) for seed, key in enumerate(keys)},
        annotations={},
        masks=given,
    )
    flat = np.stack([np.concatenate([joints_px(x) / 1000, np.zeros((21, 1))], axis=1) for x in places])
    return sequence, torch.tensor(flat)


def window(name: str = "a") -> CropWindow:
    x0, y0, x1, y1 = 10, 20, 190, 195
    return CropWindow(x0, y0, x1, y1, camera(name).cropped(x0, y0, x1 - x0, y1 - y0))


def labels(source: SkinSource, k: int = 0) -> np.ndarray:
    found = source.labels((k, "a"), window())
    assert found is not None
    return found


def test_colours_tell_skin_where_there_is_no_mask():
    sequence, joints = painted_video((100.0,))
    for config in (LabelConfig(), LabelConfig(source="segment")):
        label = labels(SkinSource(sequence, [joints], config))
        skin = window().cut(skin_of(100.0))
        assert (label[~skin] == NOT_HAND).mean() > 0.995
        assert not (label[skin] == NOT_HAND).any()
        away = regions.distance_px(window().cut(regions.body(joints_px(100.0), HEIGHT, WIDTH)))
        assert (label[skin & (away < 12)] == HAND).mean() > 0.995  # past the wrist, its arm is no part of it


def test_a_given_mask_is_mended_by_colours_unless_it_is_not_to_be(caplog: pytest.LogCaptureFixture):
    """The mask lacks the fingertips on one side."""

    def bad(x: float) -> np.ndarray:
        mask = skin_of(x)
        mask[:90, round(x) + 10 :] = False
        return mask

    sequence, joints = painted_video((100.0,), bad)
    missing = window().cut(skin_of(100.0) & ~bad(100.0))
    source = SkinSource(sequence, [joints], LabelConfig())
    checked = labels(source)
    assert (checked[missing] == HAND).mean() > 0.95
    assert (checked[~missing] == UNKNOWN).mean() < 0.02
    with caplog.at_level("INFO"):
        source.tell()
    assert "camera a: masks and image disagree; colours are believed over the masks in" in caplog.text
    believed = labels(SkinSource(sequence, [joints], LabelConfig(check_masks=False)))
    assert np.array_equal(believed == HAND, window().cut(bad(100.0)))
    assert (believed[missing] == NOT_HAND).all()
    ignored = labels(SkinSource(sequence, [joints], LabelConfig(source="segment")))
    assert (ignored[missing] == HAND).mean() > 0.95


def test_colours_mend_a_mask_however_far_from_the_annotation_its_gap_lies():
    """Two annotated fingers are bent away from where they are seen; without a mask such skin is unknown."""

    def tip(x: float) -> np.ndarray:
        rows, columns = np.indices((HEIGHT, WIDTH))
        return skin_of(x) & (columns > x + 22) & (rows < 85)

    sequence, joints = painted_video((100.0,), lambda x: skin_of(x) & ~tip(x))
    bent, missing = joints.clone(), window().cut(tip(100.0))
    bent[0, 13:21, 0] -= 0.05  # metres, towards the other fingers
    assert (labels(SkinSource(sequence, [bent], LabelConfig()))[missing] == HAND).mean() > 0.9
    told = labels(SkinSource(sequence, [bent], LabelConfig(source="segment")))[missing]
    assert (told == UNKNOWN).mean() > 0.5
    assert not (told == NOT_HAND).any()


def test_masks_that_follow_edges_are_believed_where_a_thing_looks_like_skin(caplog: pytest.LogCaptureFixture):
    """A thing's contour has edges, the hand's before it has none: by one frame the mask seems to lack a part."""
    thing = np.zeros((HEIGHT, WIDTH), bool)
    thing[85:130, 134:160] = True
    exact = window().cut(skin_of(100.0))
    added = window().cut(thing) & ~exact
    sequence, joints = painted_video((100.0,), skin_of, {0: thing})
    assert (labels(SkinSource(sequence, [joints], LabelConfig()))[added] == HAND).mean() > 0.5
    sequence, joints = painted_video((100.0, 100.0, 100.0), skin_of, {1: thing})
    source = SkinSource(sequence, [joints], LabelConfig())
    with caplog.at_level("INFO"):
        assert np.array_equal(labels(source, 1), np.where(exact, HAND, NOT_HAND))
    assert "masks are believed" in caplog.text


def test_a_plate_tells_what_stands_before_it():
    places = (60.0, 200.0, 60.0, 200.0)
    sequence, joints = painted_video(places)
    label = labels(SkinSource(sequence, [joints], LabelConfig(source="plate")))
    skin = window().cut(skin_of(60.0))
    known = label != UNKNOWN
    assert known[skin].mean() > 0.5
    assert (label[known & skin] == HAND).mean() > 0.95
    assert (label[known & ~skin] == NOT_HAND).mean() > 0.95


def test_over_black_and_with_source_none_nothing_is_told():
    sequence, joints = painted_video((100.0,))
    assert SkinSource(sequence, [joints], LabelConfig(), over_black=True).labels((0, "a"), window()) is None
    assert SkinSource(sequence, [joints], LabelConfig(source="none")).labels((0, "a"), window()) is None


def test_an_annotation_beside_the_hand_gives_no_labels_rather_than_wrong_ones():
    sequence, joints = painted_video((100.0,))
    away = joints + torch.tensor([0.12, -0.06, 0.0])
    assert SkinSource(sequence, [away], LabelConfig()).labels((0, "a"), window()) is None


def test_joints_that_no_camera_sees_do_no_harm():
    sequence, joints = painted_video((100.0,))
    behind = torch.full_like(joints, torch.nan)
    assert labels(SkinSource(sequence, [joints, behind], LabelConfig())).any()
    assert SkinSource(sequence, [behind], LabelConfig()).labels((0, "a"), window()) is None


@pytest.mark.parametrize(("source", "message"), [("plate", "several frames"), ("masks", "there are none")])
def test_a_source_that_cannot_serve_is_refused(source: Literal["plate", "masks"], message: str):
    sequence, joints = painted_video((100.0,))
    with pytest.raises(InputError, match=message) as error:
        SkinSource(sequence, [joints], LabelConfig(source=source))
    assert "labels.source" in str(error.value)

"""Which things stand in the scene, in which colour, and what is told of the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made_observations import NAMES, SIZE, observations  # pyright: ignore[reportMissingImports]

from handrefine.config import Config
from handrefine.hand.model import HandGeometry
from handrefine.preprocess.things_in_scene import coarse, things_in_scene
from handrefine.sequence import Camera, FrameId, FrameIndex, HandSequence
from handrefine.things import Thing

SKIN = torch.tensor([0.4, 0.3, 0.2])
CORNER = np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.02]])
FACES = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3]])
HANDS = [HandGeometry(torch.zeros(2, 5, 3), torch.zeros(2, 21, 3))]


def sequence() -> HandSequence:
    """A thing beside the hand in the first frame, a metre away in the second; its pixels in one picture."""
    camera = Camera("x", SIZE, SIZE, 100.0, 100.0, 12.0, 12.0, np.eye(3), np.zeros(3))
    region = np.zeros((SIZE, SIZE), bool)
    region[:5, :5] = True
    colours = np.where(region[..., None], np.array([0.1, 0.2, 0.6], np.float32), np.float32(0.9))
    poses = np.broadcast_to(np.eye(3), (2, 3, 3)), np.array([[0.05, 0.0, 0.0], [1.0, 0.0, 0.0]])
    return HandSequence(
        "made",
        dict.fromkeys(NAMES, camera),
        (FrameId(0), FrameId(4)),
        {(FrameIndex(0), "a"): lambda: colours},
        {},
        objects={(FrameIndex(0), "a"): lambda: region},
        things=(Thing("corner", lambda: (CORNER, FACES), *poses),),
    )


def test_near_things_stand_there_in_the_colour_that_they_show() -> None:
    seen = observations()
    found, told = things_in_scene(sequence(), HANDS, seen, SKIN, Config())
    assert found is not None
    assert "corner at 1 of 2 frames" in str(told[0])
    np.testing.assert_allclose(found.corners_world[0], CORNER[FACES] + [0.05, 0.0, 0.0], atol=1e-7)
    assert found.corners_world[1].isnan().all()
    assert found.welded.tolist() == [[0, 1, 2], [0, 1, 5], [0, 2, 5]]
    of_hand = seen.target[seen.hand_share > 0].mean(dim=0)
    torch.testing.assert_close(found.reflectance, torch.tensor([0.1, 0.2, 0.6]) / of_hand * SKIN)


@pytest.mark.parametrize(
    ("section", "setting", "words"),
    [
        ("render", {"things": False}, "render.things is off"),
        ("render", {"backend": "reference"}, "the renderer reference knows hands only"),
        ("render", {"shading": "albedo"}, "knows no light"),
        ("labels", {"objects": "none"}, "labels.objects is none"),
    ],
)
def test_what_is_given_and_not_used_is_told(section: str, setting: dict[str, Any], words: str) -> None:
    config = Config()
    config = replace(config, **{section: replace(getattr(config, section), **setting)})
    found, told = things_in_scene(sequence(), HANDS, observations(), SKIN, config)
    assert found is None
    assert len(told) == 1
    assert told[0].level == ("warning" if "backend" in setting else "note")
    assert words in told[0].what
    assert told[0].found == "corner"


def test_a_fine_mesh_becomes_coarse_and_keeps_its_place() -> None:
    n = 60
    y, x = np.divmod(np.arange(n * n), n)
    verts = np.stack([x / n * 0.1, y / n * 0.1, np.zeros(n * n)], axis=1)
    first = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate(
        [np.stack([first, first + 1, first + n], 1), np.stack([first + 1, first + n + 1, first + n], 1)]
    )
    few, joined = coarse((verts, faces), 1000)
    assert 200 < len(joined) <= 1000
    np.testing.assert_allclose(few.min(axis=0), verts.min(axis=0), atol=0.005)
    np.testing.assert_allclose(few.max(axis=0), verts.max(axis=0), atol=0.005)
    area = np.linalg.norm(np.cross(*np.diff(few[joined], axis=1).transpose(1, 0, 2)), axis=1).sum() / 2
    assert area == pytest.approx(0.0983**2, rel=0.15)
    assert coarse((CORNER, FACES), 1000)[0] is CORNER

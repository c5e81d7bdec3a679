"""Held-out views of real captures are shown as lines: where they run, and that no image is ever read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.real.line_drawings import CAPTION_PX, GROUND, INK, MASK, silhouette, view_drawings

from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import Camera, FrameId, FrameIndex, HandSequence

CAMERA = Camera("00", 320, 240, 420.0, 420.0, 160.0, 120.0, np.diag([1.0, -1, -1]), np.array([0, 0, 0.5]))
FRAME = FrameId(3)


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand_model("right")


def verts_at(hand: HandModel, x_m: float) -> np.ndarray:
    zeros = (torch.zeros(1, n) for n in (48, 10))
    with torch.no_grad():
        verts = hand(*zeros, torch.tensor([[x_m, 0.0, 0.0]]), flat_hand_mean=True).verts_world.numpy()
    return verts - verts.mean(axis=(0, 1)) + np.array([x_m, 0, 0], dtype=np.float32)


def no_image() -> Any:
    raise AssertionError("a drawing needs no image")


def video(mask: np.ndarray | None) -> HandSequence:
    key = FrameIndex(0), CAMERA.name
    masks = {} if mask is None else {key: lambda: mask}
    return HandSequence("capture", {CAMERA.name: CAMERA}, (FRAME,), {key: no_image}, {}, masks=masks)


def refined(hand: HandModel) -> Any:
    before, after = (SimpleNamespace(verts_world=verts_at(hand, x_m)) for x_m in (0.02, 0.0))
    return SimpleNamespace(frames=(FRAME,), before=before, after=after, topology=hand.topology)


def test_a_silhouette_covers_what_its_triangles_cover() -> None:
    """A rectangle before the camera fills its pixels, up to those that its border touches; none behind it."""
    corners_px = np.array([[100, 80], [140, 80], [140, 110], [100, 110]])
    rays = (corners_px - [CAMERA.cx, CAMERA.cy]) / CAMERA.fx
    verts_cam = 0.5 * np.concatenate([rays, np.ones((4, 1))], axis=1)
    verts_world = (verts_cam - CAMERA.t_cam_world) @ CAMERA.R_cam_world
    faces = np.array([[0, 1, 2], [2, 3, 0]])
    covered = silhouette(verts_world, faces, CAMERA)
    assert covered[80:110, 100:140].all()
    covered[79:111, 99:141] = False
    assert not covered.any()
    assert not silhouette(verts_world + np.array([0, 0, 2.0]), faces, CAMERA).any()


def test_the_mask_is_grey_and_hands_are_lines_before_and_after(hand) -> None:
    mask = silhouette(verts_at(hand, 0.0)[0], hand.topology.faces, CAMERA)
    (drawing,) = view_drawings([refined(hand)], video(mask))
    middle = drawing.shape[1] // 2
    for half, moment, other in (
        (drawing[:, :middle], "before", "after"),
        (drawing[:, middle:], "after", "before"),
    ):
        assert (half == INK[moment]).all(axis=-1).sum() > 200
        assert not (half == INK[other]).all(axis=-1).any()
        assert (half == MASK).all(axis=-1).mean() > 0.05
        assert (half == GROUND).all(axis=-1).mean() > 0.3

    def beside_px(half: np.ndarray, ink: tuple[int, int, int]) -> int:
        """How far the line begins from the mask."""
        below = half[CAPTION_PX:]
        line, grey = (np.flatnonzero((below == colour).all(axis=-1).any(axis=0))[0] for colour in (ink, MASK))
        return abs(int(line) - int(grey))

    assert beside_px(drawing[:, :middle], INK["before"]) > 20
    assert beside_px(drawing[:, middle:], INK["after"]) < 8


def test_views_without_a_mask_and_views_that_show_no_hand(hand) -> None:
    (drawing,) = view_drawings([refined(hand)], video(None))
    assert not (drawing == MASK).all(axis=-1).any()
    beside = refined(hand)
    for state in (beside.before, beside.after):
        state.verts_world = state.verts_world + np.array([5.0, 0, 0], dtype=np.float32)
    assert view_drawings([beside], video(None)) == []
    assert not list(Path(__file__).parents[2].glob("benchmarks/results/*.jp*g"))

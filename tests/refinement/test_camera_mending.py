"""Cameras that are grossly wrong are found by their silhouettes and turned back; right ones are left alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handrefine.hand.model import HandGeometry, load_hand_model
from handrefine.refinement.camera_alignment import SilhouettePair, align
from handrefine.refinement.camera_mending import mend_cameras
from handrefine.sequence import Camera

SIZE, FOCAL = 480, 900.0
NAMES = [f"{k:02d}" for k in range(8)]


@pytest.fixture(scope="module")
def hands() -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertices (m) and faces of a right and a left hand beside each other."""
    found = []
    for side, x in (("right", -0.07), ("left", 0.07)):
        model = load_hand_model(side)
        geometry: HandGeometry = model(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3))
        verts = geometry.verts_world[0].numpy() - geometry.joints_world[0].mean(dim=0).numpy()
        found.append((verts + np.array([x, 0.0, 0.0]), model.topology.faces))
    return found


def camera(k: int) -> Camera:
    """On a ring of 0.9 m around the hands, looking at them."""
    R = Rotation.from_euler("xyz", [0.5 * np.sin(k), 2 * np.pi * k / 8, 0.3 * np.cos(2 * k)]).as_matrix()
    return Camera(NAMES[k], SIZE, SIZE, FOCAL, FOCAL, 230.0, 245.0, R, np.array([0.0, 0.0, 0.9]))


def drawn(of: Camera, verts: np.ndarray, faces: np.ndarray) -> np.ndarray:
    uv = of.project(torch.tensor(verts)).numpy()
    image = np.zeros((SIZE, SIZE), np.uint8)
    for triangle in uv[faces]:
        cv2.fillConvexPoly(image, np.round(16 * (triangle - 0.5)).astype(np.int32), 1, shift=4)
    return image.astype(np.float32)


def pairs(given: Camera, true: Camera, hands: list[tuple[np.ndarray, np.ndarray]]) -> list[SilhouettePair]:
    """Renders by the given calibration, labels by the true one, a quarter as large within a window."""
    found = []
    for index, (verts, faces) in enumerate(hands):
        uv = given.project(torch.tensor(verts)).numpy()
        x0, y0 = np.clip(uv.min(axis=0) - 70, 0, SIZE).astype(int) // 4 * 4
        x1, y1 = np.clip(uv.max(axis=0) + 70, 0, SIZE).astype(int) // 4 * 4

        def small(of: Camera, surface: tuple[np.ndarray, np.ndarray] = (verts, faces)) -> np.ndarray:
            window = drawn(of, *surface)[y0:y1, x0:x1]  # noqa: B023
            return cv2.resize(window, (window.shape[1] // 4, window.shape[0] // 4), interpolation=cv2.INTER_AREA)

        coverage, share = small(given), small(true)
        corner, scale = np.array([x0, y0], float), np.array([4.0, 4.0])
        found.append(SilhouettePair(coverage, share, np.ones_like(share), corner, scale, index))
    return found


def misturned(of: Camera, rotation_mrad: tuple[float, float, float]) -> Camera:
    turn = Rotation.from_rotvec(np.array(rotation_mrad) / 1e3).as_matrix()
    return replace(of, R_cam_world=turn @ of.R_cam_world, t_cam_world=turn @ of.t_cam_world)


def off_px(one: Camera, other: Camera, hands: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean distance of the hands' projections."""
    verts = torch.tensor(np.concatenate([of for of, _ in hands]))
    return float((one.project(verts) - other.project(verts)).norm(dim=1).mean())


@pytest.mark.parametrize(
    "rotation_mrad", [(5.0, 2.0, 0.0), (-12.0, 15.0, 0.0), (30.0, -50.0, 0.0), (10.0, -14.0, 60.0)]
)
def test_a_turned_camera_is_found_and_turned_back(hands, rotation_mrad):
    """Left are rounding and the window's pixels of four: half a pixel of the full image."""
    true = camera(2)
    given = misturned(true, rotation_mrad)
    found = align(pairs(given, true, hands))
    assert found is not None
    assert found.misfit_after < 0.25 * found.misfit_before
    assert off_px(found.motion.camera(given), true, hands) < 0.7 < off_px(given, true, hands)


def test_a_wrong_focal_length_is_told_from_a_turn(hands):
    true = camera(3)
    given = replace(true, fx=1.12 * FOCAL, fy=1.12 * FOCAL)
    found = align(pairs(given, true, hands))
    assert found is not None
    assert found.motion.scale == pytest.approx(1 / 1.12, abs=0.01)
    assert off_px(found.motion.camera(given), true, hands) < 1.0


def test_a_wrong_principal_point_is_mended_in_the_picture(hands):
    """It is told as a turn, which at one distance is the same."""
    true = camera(4)
    given = replace(true, cx=true.cx + 35.0, cy=true.cy - 20.0)
    found = align(pairs(given, true, hands))
    assert found is not None
    assert found.motion.scale == 1.0
    assert off_px(found.motion.camera(given), true, hands) < 1.0


def mended_among_eight(hands, wrong: dict[int, tuple[float, float, float]]) -> dict[str, Camera]:
    """Which of eight cameras are mended; the right ones' hands are off by what a coarse fit leaves."""
    rng = np.random.default_rng(0)
    cameras, found = {}, {}
    for k, name in enumerate(NAMES):
        true = camera(k)
        rest = tuple(rng.normal(0, 0.6, 3).tolist())
        cameras[name] = misturned(true, wrong.get(k, rest))
        found[name] = pairs(cameras[name], true, hands)
    return {name: turned for name, (turned, _) in mend_cameras(found, cameras).items()}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {3: (20.0, 5.0, 0.0)},
        {0: (-9.0, 9.0, -60.0)},
        {1: (-40.0, 45.0, 0.0)},
        {6: (10.0, -15.0, 40.0)},
        {2: (20.0, 0.0, 0.0), 5: (0.0, -60.0, 0.0)},
    ],
)
def test_wrong_cameras_are_mended_and_right_ones_left_alone(hands, wrong):
    mended = mended_among_eight(hands, wrong)
    assert sorted(mended) == sorted(NAMES[k] for k in wrong)
    for name, turned in mended.items():
        assert off_px(turned, camera(NAMES.index(name)), hands) < 1.0


def test_two_cameras_cannot_tell_which_is_wrong(hands):
    cameras = {"00": camera(0), "01": misturned(camera(1), (30.0, 0.0, 0.0))}
    found = {name: pairs(of, camera(k), hands) for k, (name, of) in enumerate(cameras.items())}
    assert mend_cameras(found, cameras) == {}


def test_hands_that_ask_for_different_motions_speak_against_the_fit_not_the_camera(hands):
    (right, faces), (left, left_faces) = hands
    apart = [(right + np.array([0.02, 0.0, 0.0]), faces), (left + np.array([-0.02, 0.0, 0.0]), left_faces)]
    cameras = {name: camera(k) for k, name in enumerate(NAMES)}
    found = {name: pairs(of, of, hands) for name, of in cameras.items()}
    moved = pairs(cameras["04"], cameras["04"], apart)
    labels = pairs(cameras["04"], cameras["04"], hands)
    found["04"] = [replace(m, hand_share=fit(one, m)) for m, one in zip(moved, labels, strict=True)]
    assert mend_cameras(found, cameras) == {}


def fit(label: SilhouettePair, like: SilhouettePair) -> np.ndarray:
    """The label in the other pair's window."""
    height, width = like.coverage.shape
    canvas = np.zeros((height, width), np.float32)
    offset = ((label.corner_px - like.corner_px) / like.scale).astype(int)
    ys, xs = np.nonzero(label.hand_share > 0.5)
    ys, xs = ys + offset[1], xs + offset[0]
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    canvas[ys[inside], xs[inside]] = 1.0
    return canvas

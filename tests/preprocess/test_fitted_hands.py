"""Hands that roughly fit the images tell who is in front where, and where forearms may be."""

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handrefine.hand.model import HandGeometry, load_hand_model
from handrefine.hand.wrist import wrist_crease
from handrefine.preprocess.masks.depth_map import depth_map
from handrefine.preprocess.masks.fitted_hands import FittedHands
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST, Camera, Side

SIZE, FOCAL = 240, 380.0
#: How far apart two directions are that are tried, radians.
SPACING = 0.35


def camera(turn: float, tilt: float = 0.3) -> Camera:
    R = Rotation.from_euler("xyz", [tilt, turn, 0.0]).as_matrix()
    return Camera(f"{turn:.1f}", SIZE, SIZE, FOCAL, FOCAL, 120.0, 120.0, R, np.array([0.0, 0.0, 0.7]))


CAMERAS = [camera(2 * np.pi * k / 6) for k in range(6)]


def posed(
    side: Side, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, joints, and faces up to the wrist; the hand's middle at the offset."""
    model = load_hand_model(side)
    geometry: HandGeometry = model.flat()
    joints = geometry.joints_world[0].double().numpy()
    move = np.array(offset) - joints.mean(axis=0)
    topology = model.drawn_topology(end_at_wrist=True)
    return geometry.verts_world[0].double().numpy() + move, joints + move, topology.faces


@pytest.fixture(scope="module")
def one() -> FittedHands:
    verts, joints, faces = posed("right")
    return FittedHands({0: verts}, {0: joints}, {0: faces})


def bent(joints: np.ndarray, angle: float) -> np.ndarray:
    """The direction of a forearm behind a wrist that is bent by an angle in the palm's plane."""
    axis = joints[WRIST] - joints[MIDDLE_KNUCKLE]
    axis = axis / np.linalg.norm(axis)
    across = joints[5] - joints[17]
    across = across - (across @ axis) * axis
    return np.cos(angle) * axis + np.sin(angle) * across / np.linalg.norm(across)


def arm_depth(joints: np.ndarray, direction: np.ndarray, of: Camera) -> np.ndarray:
    """A round forearm of 6 cm: depth, infinite beside it."""
    depth = np.full((SIZE, SIZE), np.inf)
    points = wrist_crease(joints) + np.linspace(0.0, 0.16, 60)[:, None] * direction
    px, z = of.project(torch.tensor(points)).numpy(), of.to_camera(torch.tensor(points)).numpy()[:, 2]
    for k in np.argsort(-z):
        disc = np.zeros((SIZE, SIZE), np.uint8)
        cv2.circle(disc, tuple(np.rint(px[k]).astype(int).tolist()), round(0.03 * FOCAL / z[k]), 1, -1)
        depth[disc > 0] = z[k] - 0.01
    return depth


def labelled(
    fitted: FittedHands, joints: np.ndarray, direction: np.ndarray, of: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """What is skin, and where the forearm is in front."""
    arm, (_, hand) = arm_depth(joints, direction, of), fitted.surfaces(of)
    skin = np.isfinite(arm) | np.isfinite(hand)
    return skin.astype(np.int8), arm < hand


@pytest.mark.parametrize("angle", [0.0, 0.6, -0.9])
def test_the_forearms_direction_is_read_off_the_images(one: FittedHands, angle: float) -> None:
    joints = one.joints_world[0]
    true = bent(joints, angle)
    views = [(of, labelled(one, joints, true, of)[0]) for of in CAMERAS]
    directions = one.arms(views)[0]
    assert np.min([np.arccos(np.clip(d @ true, -1, 1)) for d in directions]) < SPACING
    assert len(directions) < 15
    for of, skin in views:
        view, arm = one.view(of, skin, {0: directions}), labelled(one, joints, true, of)[1]
        assert view.arm[arm].mean() > 0.9
        beside = ~cv2.dilate((view.front >= 0).astype(np.uint8) | arm, np.ones((45, 45))).astype(bool)
        assert view.arm[beside].mean() < 0.15, "the rest of the half-plane past the wrist is known again"
        assert not view.cuff.any(), "no sleeve"


def test_a_hand_in_front_of_the_forearm_is_a_hand(one: FittedHands) -> None:
    """Seen from its fingertips, the hand hides its arm."""
    joints = one.joints_world[0]
    axis = bent(joints, 0.0)
    z = axis
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    front = Camera("front", SIZE, SIZE, FOCAL, FOCAL, 120.0, 120.0, R, np.array([0.0, 0.0, 0.7]))
    back = Camera("back", SIZE, SIZE, FOCAL, FOCAL, 120.0, 120.0, R * [[-1], [1], [-1]], np.array([0.0, 0.0, 0.7]))
    nothing = np.full((SIZE, SIZE), -1, np.int8)
    fingers, elbow = (one.view(of, nothing, {0: [axis]}) for of in (front, back))
    assert fingers.arm[fingers.front >= 0].mean() < 0.3
    assert elbow.arm[elbow.front >= 0].mean() > 0.7


def test_a_sleeve_leaves_all_directions_and_an_unknown_cuff(one: FittedHands) -> None:
    views = [(of, (one.surfaces(of)[0] >= 0).astype(np.int8)) for of in CAMERAS]
    directions = one.arms(views)[0]
    assert len(directions) > 30
    of, skin = views[0]
    assert one.view(of, skin, {0: directions}).cuff.any()


def test_owners_are_told_by_depth_and_not_where_both_may_be() -> None:
    """The left hand passes before the right one's palm."""
    (right, right_joints, faces), (left, left_joints, left_faces) = (
        posed("right"),
        posed("left", (0.03, 0.02, -0.2)),
    )
    fitted = FittedHands({0: right, 1: left}, {0: right_joints, 1: left_joints}, {0: faces, 1: left_faces})
    of = Camera("front", SIZE, SIZE, FOCAL, FOCAL, 120.0, 120.0, np.eye(3), np.array([0.0, 0.0, 0.8]))
    skin = fitted.surfaces(of)[0] >= 0
    view = fitted.view(of, skin.astype(np.int8), {})
    both = np.isfinite(depth_map(right, faces, of)) & np.isfinite(depth_map(left, left_faces, of))
    assert both.sum() > 500
    owner = view.owners(skin)
    assert (view.front[both] == 1).mean() > 0.98
    assert (owner[both] == 0).mean() < 0.02
    assert (owner[both] == 1).mean() > 0.15
    assert (owner[skin] == 0).mean() > 0.1
    assert not (owner[~skin] >= 0).any()
    # Along the border between both nothing is certain.
    border = cv2.dilate((view.front == 0).astype(np.uint8), np.ones((3, 3))) & cv2.dilate(
        (view.front == 1).astype(np.uint8), np.ones((3, 3))
    )
    assert (owner[border > 0] == -1).all()

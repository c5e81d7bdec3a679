"""The embedded open hand as a file: MANO's layout, a sound mesh, a usable atlas, hinges that hinge."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ASSET = Path(str(files("handrefine"))) / "hand" / "open_hand"
WRIST, INDEX, MIDDLE, THUMB = 0, 1, 4, 13
THUMB_TIP, INDEX_TIP, MIDDLE_TIP, RING_TIP, PINKY_TIP = range(5)
INDEX_BONES = [1, 2, 3]
FINGER_TIP_BONE = [15, 3, 6, 12, 9]


@pytest.fixture(scope="module")
def hand() -> dict[str, np.ndarray]:
    return dict(np.load(ASSET / "model.npz"))


@pytest.fixture(scope="module")
def joints(hand: dict[str, np.ndarray]) -> np.ndarray:
    return hand["J_regressor"] @ hand["v_template"]


@pytest.fixture(scope="module")
def mano(hand: dict[str, np.ndarray]):
    smplx = pytest.importorskip("smplx")
    from smplx.utils import Struct

    return smplx.MANO("", data_struct=Struct(**hand), use_pca=False, flat_hand_mean=True, num_betas=10)


def _pose(mano, joint: int, axis_angle: np.ndarray) -> np.ndarray:
    import torch

    pose = torch.zeros(1, 45)
    pose[0, 3 * (joint - 1) : 3 * joint] = torch.as_tensor(axis_angle, dtype=pose.dtype)
    with torch.no_grad():
        return mano(hand_pose=pose).vertices[0].numpy()


def _edge_uses(triangles: np.ndarray) -> dict[tuple[int, int], int]:
    uses: dict[tuple[int, int], int] = {}
    for a, b, c in triangles.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            uses[edge] = uses.get(edge, 0) + 1
    return uses


def _uv_areas(hand: dict[str, np.ndarray]) -> np.ndarray:
    corner = hand["vt"][hand["ft"]].astype(np.float64)
    first, second = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    return 0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def test_arrays_have_manos_layout(hand):
    vertices, faces = len(hand["v_template"]), len(hand["f"])
    expected = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, 10),
        "posedirs": (vertices, 3, 135),
        "J_regressor": (16, vertices),
        "weights": (vertices, 16),
        "kintree_table": (2, 16),
        "f": (faces, 3),
        "hands_components": (45, 45),
        "hands_mean": (45,),
        "vt": (len(hand["vt"]), 2),
        "ft": (faces, 3),
        "tips": (5,),
        "joint_limits_lower": (45,),
        "joint_limits_upper": (45,),
    }
    assert {name: array.shape for name, array in hand.items()} == expected
    assert all(np.isfinite(array).all() for array in hand.values())
    assert hand["kintree_table"][0, 1:].tolist() == [0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    np.testing.assert_array_equal(np.unique(hand["f"]), np.arange(vertices))
    np.testing.assert_array_equal(np.unique(hand["ft"]), np.arange(len(hand["vt"])))


def test_files_stay_small():
    assert (ASSET / "model.npz").stat().st_size < 1_000_000
    assert (ASSET / "skin.jpg").stat().st_size < 1_500_000
    assert "CC0" in (ASSET / "LICENSE-CC0.md").read_text(encoding="utf-8")


def test_skin_is_an_opaque_square():
    with Image.open(ASSET / "skin.jpg") as skin:
        assert (skin.size, skin.mode) == ((2048, 2048), "RGB")


@pytest.mark.parametrize("name", ["weights", "J_regressor"])
def test_rows_are_convex_combinations(hand, name):
    assert hand[name].min() >= 0
    np.testing.assert_allclose(hand[name].sum(1), 1, atol=1e-5)


def test_mesh_is_manifold_with_one_opening_at_the_wrist(hand):
    uses = _edge_uses(hand["f"])
    assert max(uses.values()) == 1, "two triangles run along one edge in the same direction"
    follows = {a: b for a, b in uses if (b, a) not in uses}
    start = next(iter(follows))
    loop, vertex = [start], follows[start]
    while vertex != start:
        loop.append(vertex)
        vertex = follows[vertex]
    assert len(loop) == len(follows), "more than one boundary loop"
    rim = hand["v_template"][loop]
    np.testing.assert_allclose(rim[:, 0], 0.027, atol=0.007, err_msg="2-3 cm of forearm beyond the wrist")
    euler = len(hand["v_template"]) - (len(uses) + len(loop)) // 2 + len(hand["f"])
    assert euler == 1, "a disc: no handles, one opening"


def test_triangles_face_outward(hand):
    """Closing the opening with a fan must give a positive volume, that of a hand."""
    corner = hand["v_template"][hand["f"]].astype(np.float64)
    volume = np.einsum("fa,fa->f", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])).sum() / 6
    assert 2e-4 < volume < 8e-4


def test_forearm_stub_does_not_flare(hand, joints):
    template = hand["v_template"]
    width = {
        name: np.ptp(template[where][:, 1:], axis=0)
        for name, where in {"wrist": np.abs(template[:, 0]) < 0.006, "rim": template[:, 0] > 0.02}.items()
    }
    assert np.all(width["rim"] < 1.12 * width["wrist"])


def test_atlas_is_usable(hand):
    assert hand["vt"].min() >= 0
    assert hand["vt"].max() <= 1
    # In texels of the 2048 x 2048 skin.
    assert _uv_areas(hand).min() * 2048**2 > 1


def test_atlas_does_not_overlap_itself(hand):
    size = 1024
    count = np.zeros((size, size), int)
    for corner in hand["vt"][hand["ft"]].astype(np.float64) * size:
        low, high = np.floor(corner.min(0)).astype(int), np.ceil(corner.max(0)).astype(int)
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        points = np.stack([x + 0.5, y + 0.5, np.ones(x.shape)], -1)
        share = points @ np.linalg.inv(np.concatenate([corner, np.ones((3, 1))], 1))
        # Strictly inside, so that neighbours never claim the same texel.
        count[y, x] += (share > 1e-6).all(-1)
    assert count.max() == 1


def test_uv_triangles_belong_to_their_faces(hand):
    """Every UV vertex stands for exactly one mesh vertex."""
    owners = np.full(len(hand["vt"]), -1)
    owners[hand["ft"].reshape(-1)] = hand["f"].reshape(-1)
    np.testing.assert_array_equal(owners[hand["ft"]], hand["f"])
    assert owners.min() >= 0


def test_right_hand_in_manos_frame(hand, joints):
    template = hand["v_template"]
    tips = template[hand["tips"]]
    assert tips[INDEX_TIP:, 0].max() < -0.12, "fingers toward -x"
    assert tips[THUMB_TIP, 2] > 0.05, "thumb toward +z"
    assert tips[INDEX_TIP, 2] > tips[MIDDLE_TIP, 2] > tips[RING_TIP, 2] > tips[PINKY_TIP, 2]
    curled = hand["hands_mean"].reshape(15, 3)
    # A relaxed index turns its tip toward the palm: about +z in this frame, -x goes to -y.
    assert curled[INDEX - 1, 2] > 0.1, "back of the hand toward +y"
    np.testing.assert_allclose(joints[WRIST], 0, atol=0.005)


def test_hand_has_adult_length(hand, joints):
    length = np.linalg.norm(hand["v_template"][hand["tips"][MIDDLE_TIP]] - joints[WRIST])
    assert 0.17 < length < 0.20


def test_tips_belong_to_their_fingers(hand, joints):
    assert hand["weights"][hand["tips"]].argmax(1).tolist() == FINGER_TIP_BONE


def test_first_shape_is_size(hand):
    grown = hand["v_template"] + hand["shapedirs"][:, :, 0]
    ratio = np.linalg.norm(grown, axis=1) / np.linalg.norm(hand["v_template"], axis=1)
    np.testing.assert_allclose(ratio, 1.07, atol=0.01)


def test_pose_basis_is_orthonormal(hand):
    product = hand["hands_components"] @ hand["hands_components"].T
    np.testing.assert_allclose(product, np.eye(45), atol=1e-5)


def test_relaxed_hand_is_within_the_joint_limits(hand):
    lower, upper = hand["joint_limits_lower"], hand["joint_limits_upper"]
    for pose in (np.zeros(45), hand["hands_mean"]):
        assert np.all(lower <= pose)
        assert np.all(pose <= upper)


def test_smplx_loads_it(mano, hand, joints):
    import torch

    with torch.no_grad():
        out = mano()
    np.testing.assert_allclose(out.vertices[0].numpy(), hand["v_template"], atol=1e-6)
    np.testing.assert_allclose(out.joints[0, :16].numpy(), joints, atol=1e-5)


def test_bending_the_index_moves_only_the_index(mano, hand):
    moved = np.linalg.norm(_pose(mano, INDEX, np.array([0, 0, 1.0])) - hand["v_template"], axis=1)
    on_index = hand["weights"][:, INDEX_BONES].sum(1) > 0
    assert moved[~on_index].max() < 1e-6
    assert moved[hand["tips"][INDEX_TIP]] > 0.04


@pytest.mark.parametrize("joint", range(1, 13))
def test_fingers_bend_toward_the_palm(mano, hand, joint):
    bent = _pose(mano, joint, np.array([0, 0, 0.8]))
    finger_tip = hand["tips"][[1, 2, 4, 3][(joint - 1) // 3]]
    assert bent[finger_tip, 1] < hand["v_template"][finger_tip, 1] - 0.01


def test_pose_correctives_keep_a_bent_finger_thick(mano, hand):
    """Linear skinning alone pinches the middle joint of a finger that bends by 90 degrees."""
    around_joint = (np.abs(hand["weights"][:, MIDDLE + 1] - 0.5) < 0.15) & (hand["weights"][:, MIDDLE] > 0.3)
    joint_place = (hand["J_regressor"] @ hand["v_template"])[MIDDLE + 1]

    def thickness(vertices: np.ndarray) -> float:
        return float(np.linalg.norm(vertices[around_joint] - joint_place, axis=1).mean())

    rest = thickness(hand["v_template"])
    bent = thickness(_pose(mano, MIDDLE + 1, np.array([0, 0, np.pi / 2])))
    assert bent > 0.93 * rest

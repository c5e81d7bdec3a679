"""Synthetic truth: repeatable, in the picture, plausible, well lit, and whole on disk."""

import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.sequence import JOINT_NAMES
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.synthetic.truth_file import load_truth, save_truth

SETTINGS = SyntheticSettings(n_cameras=5, n_frames=6, size=96, texture_size=64, seed=3)


@pytest.fixture(scope="module", params=["right_hand", "left_hand"])
def hand(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def skin():
    return np.random.default_rng(0).uniform(0.2, 0.6, (16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def truth(hand, skin):
    return make_truth(hand, skin, SETTINGS)


def test_same_seed_same_truth(hand, skin, truth):
    again = make_truth(hand, skin, SETTINGS)
    other = make_truth(hand, skin, SyntheticSettings(n_frames=6, texture_size=64, seed=4))
    np.testing.assert_array_equal(again.verts_world, truth.verts_world)
    np.testing.assert_array_equal(again.texture, truth.texture)
    assert np.abs(other.mano.pose_aa - truth.mano.pose_aa).max() > 0.05
    assert np.abs(other.light - truth.light).max() > 0.01


def test_geometry_is_the_models_at_the_true_parameters(hand, truth):
    mano = truth.mano
    out = hand(
        *(torch.as_tensor(v).float() for v in (mano.pose_aa, mano.shape, mano.trans_m)), flat_hand_mean=False
    )
    np.testing.assert_allclose(truth.verts_world, out.verts_world.numpy(), atol=1e-5)
    np.testing.assert_allclose(truth.joints_world, out.joints_world.numpy(), atol=1e-5)
    assert np.ptp(mano.shape, axis=0).max() == 0  # one person


def test_the_hand_fills_every_image_and_stays_inside(truth):
    for camera in truth.cameras.values():
        uv_px = camera.project(torch.as_tensor(truth.verts_world)).numpy()
        assert uv_px.min() > 0.04 * SETTINGS.size
        assert uv_px.max() < 0.96 * SETTINGS.size
        extent = np.ptp(uv_px.reshape(-1, 2), axis=0)
        assert extent.max() > 0.75 * SETTINGS.size
        assert camera.fx != camera.fy
        assert abs(camera.cx - camera.width / 2) > 1e-3


def test_cameras_are_spread_over_the_half_sphere(hand, skin):
    truth = make_truth(hand, skin, SyntheticSettings(n_cameras=16, n_frames=1, texture_size=8))
    to_cameras = np.stack([c.center_world for c in truth.cameras.values()]) - truth.verts_world.mean((0, 1))
    to_cameras /= np.linalg.norm(to_cameras, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(to_cameras @ to_cameras.T, -1, 1))) + 360 * np.eye(16)
    assert angles.min() > 15  # 16 points on a half-sphere: 42 degrees at the very best
    assert to_cameras[:, 1].min() > -0.3
    assert to_cameras[:, 1].max() > 0.85


def test_the_gesture_is_smooth_and_irregularly_sampled(hand, skin):
    truth = make_truth(hand, skin, SyntheticSettings(n_frames=30, texture_size=8, n_cameras=1))
    gaps = np.diff(truth.frames)
    assert gaps.min() >= 1
    assert len(set(gaps.tolist())) > 1
    speed_mm = 1000 * np.linalg.norm(np.diff(truth.joints_world, axis=0), axis=-1).mean(1) / gaps
    assert 0.3 < speed_mm.mean() < 6
    assert speed_mm.max() < 10


def test_fingers_bend_towards_the_palm(hand, truth):
    """No finger bends backwards: in the frame of the palm, tips lie on the palm's side of the knuckles."""
    tips = [JOINT_NAMES.index(f"{f}4") for f in ("index", "middle", "ring", "pinky")]
    wrist, index, pinky = (truth.joints_world[:, JOINT_NAMES.index(n)] for n in ("wrist", "index1", "pinky1"))
    back = np.cross(index - wrist, pinky - wrist) * (-1 if truth.side == "right" else 1)
    back /= np.linalg.norm(back, axis=-1, keepdims=True)
    vertex_back = np.einsum("fvc,fc->fv", truth.joints_world[:, tips] - index[:, None], back)
    assert vertex_back.max() < 0.02
    assert vertex_back.min() < -0.03


def test_light_is_positive_and_exposes_the_hand(truth):
    radiance = sh_basis(latlong_directions(32, 64), 1).double() @ torch.as_tensor(truth.light)
    assert radiance.min() > 0
    assert truth.light.shape == (4, 3)
    mean = radiance.mean((0, 1)).numpy() * truth.texture.mean((0, 1))
    assert 0.2 < mean.mean() < 0.6
    assert truth.texture.min() > 0
    assert truth.texture.max() < 1


def test_truth_file_round_trip(truth, tmp_path):
    save_truth(tmp_path / "truth.npz", truth)
    again = load_truth(tmp_path / "truth.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["truth.npz"]
    assert (again.side, again.frames, list(again.cameras)) == (truth.side, truth.frames, list(truth.cameras))
    for name in ("verts_world", "joints_world", "texture", "light"):
        np.testing.assert_array_equal(getattr(again, name), getattr(truth, name))
    np.testing.assert_array_equal(again.mano.pose_aa, truth.mano.pose_aa)
    for name, camera in truth.cameras.items():
        np.testing.assert_array_equal(again.cameras[name].intrinsics, camera.intrinsics)
        np.testing.assert_array_equal(again.cameras[name].t_cam_world, camera.t_cam_world)
    assert again.annotation.joint_valid.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pose_aa": None}, "lacks 'pose_aa'"),
        ({"verts_world": np.full((6, 9, 3), np.nan)}, "'verts_world' of a truth file holds NaN"),
        ({"open_hand": np.zeros(2, bool)}, "'open_hand' of a truth file has the wrong shape"),
        ({"joints_world": np.zeros((6, 20, 3))}, "'joints_world' of a truth file has the wrong shape"),
        ({"trans_m": np.zeros((5, 3))}, "'trans_m' of a truth file has the wrong shape"),
        ({"side": np.array("both")}, "neither right nor left"),
    ],
)
def test_a_bad_truth_file_is_refused(truth, tmp_path, change, message):
    path = tmp_path / "truth.npz"
    save_truth(path, truth)
    with np.load(path) as file:
        arrays = {k: v for k, v in {**file, **change}.items() if v is not None}
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        load_truth(path)


def test_a_broken_or_missing_truth_file(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load_truth(tmp_path / "truth.npz")
    (tmp_path / "truth.npz").write_bytes(b"PK\x03\x04 not much else")
    with pytest.raises(InputError, match="damaged"):
        load_truth(tmp_path / "truth.npz")
    with pytest.raises(InputError, match="n_cameras is out of range"):
        SyntheticSettings(n_cameras=0)

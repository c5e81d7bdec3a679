"""Photographs that the model cannot explain: faults have the size that they claim, the truth stays exact."""

import math

import cv2
import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.mesh import vertex_normals
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.gesture import gesture_time, with_abrupt_move
from handrefine.synthetic.mismatch import (
    CameraFault,
    MismatchSettings,
    as_taken,
    bright_lamp,
    camera_fault,
    fine_surface,
    uneven_light,
)
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.synthetic.truth_file import load_truth, save_truth

SETTINGS = SyntheticSettings(n_cameras=2, n_frames=6, size=64, texture_size=32, seed=3, kind="mismatched")
NO_FAULT = MismatchSettings(cast=0.0, cast_offset=0.0, jpeg_quality=100)


@pytest.fixture(scope="module")
def truth(right_hand):
    return make_truth(right_hand, right_hand.default_skin(), SETTINGS)


def test_the_surface_is_finer_and_its_relief_sticks_to_the_skin(right_hand, truth):
    rng = np.random.default_rng(0)
    topology, verts = fine_surface(truth.verts_world, right_hand.topology, 0.35, rng)
    flat, flat_verts = fine_surface(truth.verts_world, right_hand.topology, 0.0, rng)
    assert len(topology.faces) == 4 * len(right_hand.topology.faces)
    assert len(topology.faces) == len(topology.uv_faces)
    normals = vertex_normals(torch.as_tensor(flat_verts), flat).numpy()
    height_mm = 1000 * np.einsum("fvk,fvk->fv", verts - flat_verts, normals)
    assert np.sqrt(np.square(height_mm[0]).mean()) == pytest.approx(0.35, rel=1e-6)
    np.testing.assert_allclose(height_mm, np.broadcast_to(height_mm[0], height_mm.shape), atol=1e-9)
    # Neighbours differ little: smooth, not noise. Triangles' sides are some 2 mm long, waves 12 mm and more.
    step_mm = height_mm[0][topology.faces[:, 0]] - height_mm[0][topology.faces[:, 1]]
    assert np.sqrt(np.square(step_mm).mean()) < 0.25


def test_cutting_triangles_changes_neither_surface_nor_texture(right_hand, truth):
    """The four parts of a triangle add up to it, in space and in the atlas, and keep its orientation."""
    topology, verts = fine_surface(truth.verts_world[:1], right_hand.topology, 0.0, np.random.default_rng(0))
    coarse = right_hand.topology
    for points, faces, fine_points, fine_faces in (
        (truth.verts_world[0], coarse.faces, verts[0], topology.faces),
        (with_depth(coarse.uv), coarse.uv_faces, with_depth(topology.uv), topology.uv_faces),
    ):
        whole, parts = doubled_areas(points, faces), doubled_areas(fine_points, fine_faces)
        np.testing.assert_allclose(parts.reshape(-1, 4, 3), np.repeat(whole[:, None] / 4, 4, axis=1), atol=1e-9)
    assert fine_faces.max() == len(topology.uv) - 1


def with_depth(uv: np.ndarray) -> np.ndarray:
    return np.concatenate([uv, np.zeros_like(uv[:, :1])], axis=1)


def doubled_areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (points[faces[:, k]].astype(np.float64) for k in range(3))
    return np.cross(b - a, c - a)


def test_the_truth_is_still_the_models_own(right_hand, truth, tmp_path):
    mano = truth.mano
    out = right_hand(*(torch.as_tensor(v).float() for v in (mano.pose_aa, mano.shape, mano.trans_m)))
    np.testing.assert_allclose(truth.verts_world, out.verts_world.numpy(), atol=1e-5)
    save_truth(tmp_path / "truth.npz", truth)
    again = load_truth(tmp_path / "truth.npz")
    np.testing.assert_array_equal(again.light, truth.light)
    assert again.light.shape == (25, 3)


def test_one_move_is_abrupt():
    """One step, whichever, takes three frames' worth of motion more; the others are as they were."""
    time = gesture_time((100, 103, 133, 136, 148))
    for seed in range(5):
        added = np.diff(with_abrupt_move(time, np.random.default_rng(seed)) - time)
        assert sorted(added.round(9)) == [0, 0, 0, 3]
    np.testing.assert_array_equal(with_abrupt_move(time[:1], np.random.default_rng(0)), time[:1])


def test_frames_are_irregular(right_hand):
    skin = np.full((8, 8, 3), 0.4, np.float32)
    settings = SyntheticSettings(n_cameras=1, n_frames=40, texture_size=8, kind="mismatched")
    gaps = np.diff(make_truth(right_hand, skin, settings).frames)
    assert gaps.max() / gaps.min() >= 8


def test_the_light_is_uneven_and_the_lamp_as_bright_as_it_says():
    key = np.zeros((4, 3))
    key[0] = 1.0
    light = uneven_light(key, np.random.default_rng(1))
    radiance = (sh_basis(latlong_directions(16, 32), 4).double() @ torch.as_tensor(light)).numpy()
    assert 0.25 < radiance.std() / radiance.mean() < 0.9
    lamp = bright_lamp(light, np.array([0.1, 0.0, 0.2]), 1.3, np.random.default_rng(2))
    distance = np.linalg.norm(lamp.position_world - lamp.target_world)
    assert distance == pytest.approx(1.2)
    assert lamp.position_world[1] > 0
    irradiance = lamp.radiance.mean() * (2 * lamp.half_size_m) ** 2 / distance**2
    # 1.3 times the mean radiance of the far light, times a tint of 8 % a channel.
    assert irradiance / math.pi == pytest.approx(1.3 * light[0].mean() / math.sqrt(4 * math.pi), rel=0.2)


def test_cameras_differ_and_the_background_is_cluttered():
    rng = np.random.default_rng(0)
    one, other = (camera_fault(96, 64, MismatchSettings(), rng) for _ in range(2))
    assert one.background.shape == (64, 96, 3)
    assert one.background.std() > 0.1
    assert np.abs(one.background - other.background).mean() > 0.05
    assert 0.01 < np.abs(one.matrix - np.eye(3)).mean() < 0.08
    edges = cv2.Canny((255 * one.background.clip(0, 1)).astype(np.uint8), 50, 150)
    assert np.count_nonzero(edges) > 100


def test_noise_has_the_variance_of_shots_and_reading():
    """Luminance, which JPEG keeps at full resolution: var = sum w^2 (signal / full_well + read^2)."""
    settings = MismatchSettings(full_well=1000.0, read_noise=0.01, jpeg_quality=100)
    plain = CameraFault(np.eye(3), np.zeros(3), np.zeros((96, 96, 3), np.float32))
    grey = np.full((96, 96, 3), 0.3, np.float32)
    taken = as_taken(grey, np.ones((96, 96), np.float32), plain, settings, np.random.default_rng(0))
    weights = np.array([0.299, 0.587, 0.114])
    expected = np.square(weights).sum() * (0.3 / 1000 + 0.01**2)
    # 9216 pixels: 1.5 % standard deviation; quantisation and the encoder's own luma leave some percent.
    assert (taken @ weights).var() == pytest.approx(expected, rel=0.12)
    assert taken.mean() == pytest.approx(0.3, abs=0.003)


def test_the_background_stands_behind_and_white_saturates():
    background = np.full((32, 32, 3), 0.6, np.float32)
    camera = CameraFault(np.eye(3), np.zeros(3), background)
    coverage = np.zeros((32, 32), np.float32)
    coverage[:16] = 1
    rgb = np.where(coverage[..., None] > 0, 3.0, 0.0).astype(np.float32) * np.ones((32, 32, 3), np.float32)
    taken = as_taken(rgb, coverage, camera, NO_FAULT, np.random.default_rng(0))
    assert taken[:14].min() > 0.97
    assert taken[18:].mean() == pytest.approx(0.6, abs=0.02)


def test_impossible_settings_are_named():
    with pytest.raises(InputError, match="full_well"):
        MismatchSettings(full_well=0.0)
    with pytest.raises(InputError, match="relief_mm"):
        MismatchSettings(relief_mm=-1.0)
    with pytest.raises(InputError, match="cast"):
        MismatchSettings(cast=math.nan)

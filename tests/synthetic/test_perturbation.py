"""The perturbation meets its error exactly, at every frame, and only a seed decides on it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.errors import InputError
from handrefine.sequence import ManoParameters
from handrefine.synthetic.perturbation import PerturbSettings, perturb_annotation


@pytest.fixture(scope="module")
def vertices(right_hand):
    def posed(pose_aa, shape, trans_m):
        return right_hand(pose_aa, shape, trans_m).verts_world

    return posed


def truth(frames: int, seed: int) -> ManoParameters:
    rng = np.random.default_rng(seed)
    pose = np.concatenate([rng.standard_normal((frames, 3)), 0.2 * rng.standard_normal((frames, 45))], axis=1)
    shape = np.tile(rng.standard_normal(10), (frames, 1))
    return ManoParameters(pose, shape, 0.5 * rng.standard_normal((frames, 3)))


def errors_mm(vertices, a: ManoParameters, b: ManoParameters) -> np.ndarray:
    va, vb = (
        vertices(*(torch.as_tensor(x, dtype=torch.float32) for x in (p.pose_aa, p.shape, p.trans_m))).double()
        for p in (a, b)
    )
    return 1e3 * torch.linalg.norm(va - vb, dim=-1).mean(1).numpy()


@settings(max_examples=12, deadline=None)
@given(
    error_mm=st.floats(0.5, 60),
    seed=st.integers(0, 2**31),
    frames=st.integers(1, 4),
    share=st.floats(0.0, 0.8),
)
def test_every_frame_has_exactly_the_error_asked_for(vertices, error_mm, seed, frames, share):
    start = truth(frames, seed)
    moved = perturb_annotation(vertices, start, error_mm, seed, PerturbSettings(shape_share=share))
    np.testing.assert_allclose(errors_mm(vertices, start, moved), error_mm, atol=1e-3)


def test_everything_moves_and_the_shape_stays_one(vertices):
    start = truth(5, 0)
    moved = perturb_annotation(vertices, start, 10.0, seed=3)
    assert np.ptp(moved.shape, axis=0).max() < 1e-12
    for a, b in (
        (start.shape, moved.shape),
        (start.trans_m, moved.trans_m),
        (start.pose_aa[:, :3], moved.pose_aa[:, :3]),
        (start.pose_aa[:, 3:], moved.pose_aa[:, 3:]),
    ):
        assert (np.abs(a - b).max(axis=1) > 1e-4).all()
    change = moved.trans_m - start.trans_m
    assert np.linalg.matrix_rank(change, tol=1e-5) == 3, "the frames' changes are not independent"


def test_a_seed_decides(vertices):
    start = truth(2, 1)
    a, b, c = (perturb_annotation(vertices, start, 10.0, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(a.pose_aa, b.pose_aa)
    np.testing.assert_array_equal(a.shape, b.shape)
    assert np.abs(a.pose_aa - c.pose_aa).max() > 1e-3


def test_no_error_is_no_change(vertices):
    start = truth(2, 1)
    assert perturb_annotation(vertices, start, 0.0, seed=0) is start


@pytest.mark.parametrize("error_mm", [-1.0, float("nan"), float("inf")])
def test_a_length_must_be_one(vertices, error_mm):
    with pytest.raises(InputError, match="length"):
        perturb_annotation(vertices, truth(1, 0), error_mm, seed=0)


def test_nan_in_a_pose_is_named(vertices):
    start = truth(3, 0)
    start.pose_aa[2, 7] = np.nan
    with pytest.raises(InputError, match="frame 2: pose_aa"):
        perturb_annotation(vertices, start, 5.0, seed=0)

"""Correctives on top of an annotation."""

import numpy as np
import roma
import torch

from handrefine.scene.pose import PoseVariables
from handrefine.sequence import ManoParameters


def annotation(frames: int = 3) -> ManoParameters:
    rng = np.random.default_rng(0)
    shape = np.tile(rng.normal(size=10), (frames, 1))
    return ManoParameters(rng.normal(size=(frames, 48)), shape, rng.normal(size=(frames, 3)))


def rotation_matrices(parameters: ManoParameters) -> torch.Tensor:
    return roma.rotvec_to_rotmat(torch.tensor(parameters.pose_aa[:, :3]).float())


def test_untouched_variables_are_the_annotation() -> None:
    start = annotation()
    now = PoseVariables(start).parameters_now()
    torch.testing.assert_close(rotation_matrices(now), rotation_matrices(start), atol=1e-6, rtol=0)
    np.testing.assert_allclose(now.pose_aa[:, 3:], start.pose_aa[:, 3:], atol=1e-6)
    np.testing.assert_allclose(now.trans_m, start.trans_m, atol=1e-6)
    np.testing.assert_allclose(now.shape, start.shape, atol=1e-6)


def test_the_rotation_corrective_turns_in_the_world_frame() -> None:
    start = annotation()
    variables = PoseVariables(start)
    turn = torch.tensor([0.0, 0.0, 0.3])
    with torch.no_grad():
        variables.rotation[1] = turn
    expected = rotation_matrices(start)
    expected[1] = roma.rotvec_to_rotmat(turn) @ expected[1]
    torch.testing.assert_close(rotation_matrices(variables.parameters_now()), expected, atol=1e-5, rtol=0)


def test_one_shape_serves_all_frames() -> None:
    start = annotation()
    start.shape[1] += 1
    now = PoseVariables(start).parameters_now()
    np.testing.assert_allclose(now.shape, np.broadcast_to(start.shape.mean(axis=0), (3, 10)), atol=1e-6)


def test_an_frame_may_keep_its_own_shape() -> None:
    start = annotation()
    start.shape[1] += 1
    now = PoseVariables(start, shape_per_frame=True).parameters_now()
    np.testing.assert_allclose(now.shape, start.shape, atol=1e-6)

"""How sure joints are: against the dense system, from what the pictures know to what nobody knows."""

import numpy as np
import pytest
import torch
from made_iterates import video_hand
from short_schedules import schedule

import handrefine as hr
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.optimizers.vertex_metric import N_POSE, columns, jacobians
from handrefine.refinement.joint_evidence import joint_variance
from handrefine.runs.result import JointEvidence
from handrefine.scene.pose import PoseVariables
from handrefine.scene.variables import spreads
from handrefine.sequence import ManoParameters
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

FRAMES = 2


def posed(*, alone: bool = False):
    rng = np.random.default_rng(0)
    pose = ManoParameters(rng.normal(0, 0.2, (FRAMES, 48)), np.zeros((FRAMES, 10)), np.zeros((FRAMES, 3)))
    return video_hand(PoseVariables(pose, shape_per_frame=alone))


def dense_variance(hand, tensor: torch.Tensor) -> torch.Tensor:
    """One system of all frames' poses and the shape that they share."""
    of_verts, of_joints = jacobians(hand)
    blocks = [(of_verts[f].reshape(-1, 3, of_verts.shape[2]), of_joints[f]) for f in range(FRAMES)]
    n = FRAMES * N_POSE + 10
    of_variables = [torch.full((c.stop - c.start,), spreads()[name]) for name, c in columns().items()]
    spread = torch.cat(of_variables).double()
    system = torch.diag(torch.cat([spread[:N_POSE].repeat(FRAMES), spread[N_POSE:]]) ** -2)
    places = [[*range(f * N_POSE, (f + 1) * N_POSE), *range(FRAMES * N_POSE, n)] for f in range(FRAMES)]
    for (verts, _), at, of in zip(blocks, places, tensor.chunk(FRAMES), strict=True):
        system[np.ix_(at, at)] += torch.einsum("vin,vij,vjm->nm", verts, of, verts)
    covariance = torch.linalg.inv(system)
    found = []
    for (_, joints), at in zip(blocks, places, strict=True):
        found.append(torch.einsum("jxn,nm,jxm->j", joints, covariance[np.ix_(at, at)], joints))
    return torch.stack(found)


def test_frames_and_their_shape_are_one_system() -> None:
    hand = posed()
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(FRAMES * hand.hand.n_vertices, 3, 3, generator=generator, dtype=torch.float64) * 30
    tensor = root @ root.mT
    with torch.no_grad():
        torch.testing.assert_close(joint_variance(hand, tensor), dense_variance(hand, tensor), rtol=1e-6, atol=0)


@pytest.mark.parametrize("alone", [False, True])
def test_what_no_picture_knows_is_as_unsure_as_the_annotation(alone: bool) -> None:
    """Without information a fingertip may be off by its angles' spread, and more than its knuckle."""
    hand = posed(alone=alone)
    nothing = torch.zeros(FRAMES * hand.hand.n_vertices, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        std_mm = 1e3 * joint_variance(hand, nothing).sqrt()
    assert (std_mm[:, 8] > std_mm[:, 5]).all()
    assert 3 < std_mm[:, 8].mean() < 30
    much = nothing + 1e9 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        assert (1e3 * joint_variance(hand, much).sqrt()).max() < 0.1


def evidence_by(n_cameras: int, folder) -> JointEvidence:
    settings = SyntheticSettings(n_cameras=n_cameras, n_frames=1, size=40, seed=1000, texture_size=64)
    synthesize(folder, ["right"], settings, 2.0, Config())
    short = {"texture": {"size": 32}, "render": {"spp": 1}, "stages": schedule(texture=4, joint=4)}
    found = hr.refine(hr.read_dataset(folder), "right", config_from_mapping(short)).hand("right").evidence
    assert found is not None
    return found


@pytest.mark.usefixtures("runtime")
def test_more_cameras_are_more_evidence(tmp_path) -> None:
    one, five = evidence_by(1, tmp_path / "one"), evidence_by(5, tmp_path / "five")
    for found in (one, five):
        assert found.std_mm.shape == found.cameras.shape == (1, 21)
        assert np.isfinite(found.std_mm).all()
        assert (found.std_mm > 0).all()
    assert five.std_mm.mean() < 0.8 * one.std_mm.mean()
    assert one.cameras.max() == 1
    assert 2 <= five.cameras.max() <= 5
    assert one.cameras.min() == 0  # of one side of the hand something is hidden

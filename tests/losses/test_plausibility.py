"""Joint limits, usual poses, and the annotation where nothing is seen."""

import math

import numpy as np
import pytest
import torch
from made_iterates import iterate_of, pose_of, prediction_of, video_hand
from made_observations import observations
from torch.autograd import gradcheck

from handrefine.hand.anatomy import LEAST_STD, learned_or_anatomical_prior, pose_prior
from handrefine.hand.model import OPEN_HAND, HandModel, load_hand_model
from handrefine.hand.model_file import load_model_arrays
from handrefine.losses.base import Iterate
from handrefine.losses.joint_limits import SCALE_RAD, JointLimitsTerm
from handrefine.losses.occluded import SCALE_RAD as OCCLUDED_SCALE_RAD
from handrefine.losses.occluded import OccludedTerm
from handrefine.losses.usual_pose import UsualPoseTerm
from handrefine.scene.video_model import VideoHand


def any_iterate(hand: VideoHand) -> Iterate:
    """Its images do not matter."""
    return iterate_of([hand], prediction=prediction_of(observations().target))


def joint_limit_loss(pose: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """Of a pose relative to the mean."""
    hand = video_hand(pose_of(np.zeros((len(pose), 48))))
    object.__setattr__(hand.pose, "articulation_aa", lambda: pose)
    return JointLimitsTerm((hand.hand,), [(lower, upper)]).residuals(any_iterate(hand))[0].value()


def usual_pose_loss(pose: torch.Tensor, whitening: torch.Tensor) -> torch.Tensor:
    """Of a pose relative to the mean."""
    hand = video_hand(pose_of(np.zeros((len(pose), 48))))
    object.__setattr__(hand.pose, "articulation_aa", lambda: pose)
    term = UsualPoseTerm((hand.hand,), [whitening])
    return term.residuals(any_iterate(hand))[0].value()


def random(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_limits_cost_nothing_within_and_the_square_beyond():
    lower, upper = torch.full((45,), -0.2), torch.full((45,), math.inf)
    pose = torch.zeros(2, 45)
    pose[0, 3] = 5.0
    assert joint_limit_loss(pose, lower, upper).item() == 0.0
    pose[1, 7] = -0.2 - 2 * SCALE_RAD
    assert joint_limit_loss(pose, lower, upper).item() == pytest.approx(4 / 2)  # one of two frames


def test_gradients_are_those_of_finite_differences():
    """gradcheck in float64 with its default tolerances (1e-5, 1e-3)."""
    lower, upper = torch.full((45,), -0.5).double(), torch.full((45,), 0.5).double()
    pose = random(3, 45).requires_grad_()
    assert gradcheck(lambda p: joint_limit_loss(p, lower, upper), pose)
    assert gradcheck(lambda p: usual_pose_loss(p, random(45, 45, seed=1)), pose)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_open_hand_bends_freely_and_not_backwards(side):
    """A joint of the index finger bent by 1 rad to the palm is allowed; bent back by 1 rad it is not."""
    model = load_hand_model(side)
    prior = pose_prior(model)
    bend_axis = prior.whitening.reshape(15, 3, 15, 3)[1, 0, 1]
    bend_axis = bend_axis / bend_axis.norm()
    losses = []
    for angle in (1.0, -1.0):
        pose = torch.zeros(1, 45)
        pose[0, 3:6] = angle * bend_axis
        losses.append(joint_limit_loss(pose, prior.lower, prior.upper).item())
    assert min(losses) < 0.1
    assert max(losses) > 4


def test_a_learned_pose_space_gives_its_own_samples_unit_variance():
    """MANO's `hands_coeffs` are samples in the space of its components: whitened, they are independent."""
    rng = np.random.default_rng(0)
    arrays = load_model_arrays(OPEN_HAND / "model.npz")
    components = np.linalg.qr(rng.normal(size=(45, 45)))[0]
    std = np.geomspace(2.0, 0.5 * LEAST_STD, 45)
    object.__setattr__(arrays, "hands_components", components)
    object.__setattr__(arrays, "component_std", std)
    model = HandModel(arrays, "right", "learned", open_hand=False)
    prior = learned_or_anatomical_prior(model)
    poses = torch.tensor(rng.normal(size=(4000, 45)) * std @ components).float()
    white = poses @ prior.whitening.T
    expected = np.minimum(std / LEAST_STD, 1)
    np.testing.assert_allclose(white.std(dim=0), expected, rtol=0.06)
    correlation = np.corrcoef(white.T.numpy()) - np.eye(45)
    assert np.abs(correlation).max() < 0.08
    assert usual_pose_loss(poses, prior.whitening).item() == pytest.approx(np.mean(expected**2), rel=0.05)


def test_coefficients_in_the_model_file_are_read(tmp_path):
    raw = dict(np.load(OPEN_HAND / "model.npz"))
    raw["hands_coeffs"] = np.random.default_rng(0).normal(size=(500, 45)) * 3
    np.savez(tmp_path / "model.npz", **raw)
    arrays = load_model_arrays(tmp_path / "model.npz")
    assert arrays.component_std == pytest.approx(np.full(45, 3.0), rel=0.15)
    assert load_hand_model("right").pose_space is None


def test_only_occluded_joints_are_held():
    pose = pose_of(np.zeros((2, 48)))
    with torch.no_grad():
        pose.articulation += OCCLUDED_SCALE_RAD / math.sqrt(3)
    weight = torch.zeros(2, 15)
    weight[1, 4] = 1.0
    hand = video_hand(pose)
    loss = OccludedTerm(0.0).residuals(iterate_of([hand], occluded=[weight]))[0].value()
    loss.backward()
    assert loss.item() == pytest.approx(1 / 30)
    assert pose.articulation.grad is not None
    moved = pose.articulation.grad.unflatten(1, (15, 3)).abs().sum(dim=2) > 0
    assert moved.nonzero().tolist() == [[1, 4]]

"""The fit finds the hand that made the joints, in spite of noise, wrong joints and missing joints.

Hands are drawn from the fit's own prior, within the joint limits, with a shape of 0.8 standard deviations:
plausible hands, not easy ones. Millimetre bounds are about 1.5 times what was measured over seeds 0 to 2.
"""

import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.hand.anatomy import pose_prior
from handrefine.hand.fit import fit_to_joints
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import JOINT_NAMES

FRAMES = 6


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["right", "left"])
def model(request) -> HandModel:
    return load_hand_model(request.param).to(torch.float64)


@pytest.fixture(scope="module")
def right() -> HandModel:
    return load_hand_model("right").to(torch.float64)


def plausible_hands(model: HandModel, seed: int = 0, frames: int = FRAMES):
    """Vertices and joints of hands of one shape, anywhere, turned anyhow."""
    g = torch.Generator().manual_seed(seed)
    draw = {n: torch.randn(frames, n, generator=g, dtype=torch.float64) for n in (45, 10, 3)}
    prior = pose_prior(model)
    pose = torch.linalg.solve(prior.whitening, 0.7 * draw[45].T).T.clamp(prior.lower, prior.upper)
    turned = torch.randn(frames, 3, generator=g, dtype=torch.float64)
    shape = 0.8 * draw[10][:1].expand(frames, -1)
    out = model(torch.cat([turned, pose], dim=1), shape, draw[3])
    return out.verts_world, out.joints_world


def everything(frames: int = FRAMES) -> torch.Tensor:
    return torch.ones(frames, 21, dtype=torch.bool)


def geometry(model: HandModel, fit) -> tuple[torch.Tensor, torch.Tensor]:
    p = fit.parameters
    out = model(*(torch.as_tensor(x) for x in (p.pose_aa, p.shape, p.trans_m)))
    return out.verts_world, out.joints_world


def mean_mm(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return 1e3 * torch.linalg.norm(a - b, dim=-1).mean(1).numpy()


def test_exact_joints_give_the_hand_back(model):
    verts, joints = plausible_hands(model)
    fit = fit_to_joints(model, joints, everything())
    fitted_verts, fitted_joints = geometry(model, fit)
    assert fit.mano_valid.all()
    assert fit.residual_mm.mean() < 0.3
    assert mean_mm(fitted_verts, verts).max() < 2.0
    assert np.ptp(fit.parameters.shape, axis=0).max() == 0
    # The residual reported is the one of the parameters reported.
    expected = 1e3 * torch.linalg.norm(fitted_joints - joints, dim=-1).numpy()
    np.testing.assert_allclose(fit.residual_mm, expected, atol=1e-6)


def test_noise_is_averaged_not_followed(model):
    verts, joints = plausible_hands(model, seed=1)
    g = torch.Generator().manual_seed(0)
    noisy = joints + 0.003 * torch.randn(joints.shape, generator=g, dtype=torch.float64)
    fit = fit_to_joints(model, noisy, everything())
    fitted_verts, fitted_joints = geometry(model, fit)
    raw = mean_mm(noisy, joints).mean()
    assert mean_mm(fitted_joints, joints).mean() < 0.75 * raw
    assert mean_mm(fitted_verts, verts).max() < 6.0
    assert 2.0 < fit.noise_mm < 5.0
    pose = torch.as_tensor(fit.parameters.pose_aa[:, 3:])
    beyond = pose_prior(model).lower - pose, pose - pose_prior(model).upper
    assert max(x.max() for x in beyond) < 0.05, "a joint bends further than a hand can"


def test_two_wrong_joints_an_frame_are_found_out(model):
    verts, joints = plausible_hands(model, seed=2)
    g = torch.Generator().manual_seed(0)
    wrong = torch.stack([torch.randperm(21, generator=g)[:2] for _ in range(FRAMES)])
    away = torch.nn.functional.normalize(torch.randn(FRAMES, 2, 3, generator=g, dtype=torch.float64), dim=-1)
    disturbed = joints.clone()
    disturbed[torch.arange(FRAMES)[:, None], wrong] += 0.04 * away
    fit = fit_to_joints(model, disturbed, everything())
    assert mean_mm(geometry(model, fit)[0], verts).mean() < 3.0
    is_wrong = np.zeros((FRAMES, 21), dtype=bool)
    is_wrong[np.arange(FRAMES)[:, None], wrong.numpy()] = True
    assert np.median(fit.weight[is_wrong]) < 0.1
    assert np.median(fit.weight[~is_wrong]) > 0.95


def test_missing_joints_are_filled_in(model):
    verts, joints = plausible_hands(model, seed=3)
    valid = everything()
    for frame in range(FRAMES):  # a joint of every finger
        valid[frame, [4, 7, 12, 14, 19]] = False
    joints = torch.where(valid[..., None], joints, torch.nan)
    fit = fit_to_joints(model, joints, valid)
    assert fit.mano_valid.all()
    assert mean_mm(geometry(model, fit)[0], verts).mean() < 4.0
    np.testing.assert_array_equal(np.isnan(fit.residual_mm), ~valid.numpy())
    assert (fit.weight[~valid.numpy()] == 0).all()


def test_an_frame_without_a_palm_or_with_few_joints_is_left_out(right):
    verts, joints = plausible_hands(right)
    valid = everything()
    valid[0, 5:] = False  # wrist and thumb: five joints
    valid[1, [JOINT_NAMES.index(f"{f}1") for f in ("thumb", "index", "middle", "ring", "pinky")]] = False
    valid[2] = False
    fit = fit_to_joints(right, joints, valid)
    assert fit.mano_valid.tolist() == [False, False, False, True, True, True]
    assert np.isfinite(fit.parameters.pose_aa).all()
    assert np.isnan(fit.residual_mm[:3]).all()
    assert mean_mm(geometry(right, fit)[0], verts)[3:].max() < 2.0


def test_a_fist_is_reached_from_the_open_hand(right):
    prior = pose_prior(right)
    bend = torch.linalg.solve(prior.whitening, torch.eye(45, dtype=torch.float64)[:, ::3]).sum(1)
    bend[-9:] = 0
    pose = (1.5 * bend).clamp(prior.lower, prior.upper)
    pose = torch.cat([torch.zeros(3, dtype=torch.float64), pose])[None]
    zeros = torch.zeros(1, 10, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    fist = right(pose, *zeros)
    tip, wrist = fist.joints_world[0, JOINT_NAMES.index("middle4")], fist.joints_world[0, 0]
    assert torch.linalg.norm(tip - wrist) < 0.13, "the test's fist is not closed"
    fit = fit_to_joints(right, fist.joints_world, everything(1))
    assert fit.residual_mm.max() < 2.0


def test_the_same_joints_give_the_same_fit(right):
    joints = plausible_hands(right, frames=2)[1].float()
    a, b = (fit_to_joints(right, joints, everything(2)) for _ in range(2))
    np.testing.assert_array_equal(a.parameters.pose_aa, b.parameters.pose_aa)


def test_joints_of_the_wrong_count_are_refused(right):
    with pytest.raises(InputError, match="21 joints"):
        fit_to_joints(right, torch.zeros(2, 20, 3), torch.ones(2, 20, dtype=torch.bool))


def test_a_joint_that_is_valid_but_nan_is_named(right):
    joints = plausible_hands(right)[1]
    joints[1, JOINT_NAMES.index("ring2"), 0] = torch.nan
    with pytest.raises(InputError, match="frame 1, joint ring2"):
        fit_to_joints(right, joints, everything())


def test_nothing_to_fit_is_said(right):
    with pytest.raises(InputError, match="no frame has enough valid joints"):
        fit_to_joints(right, torch.zeros(2, 21, 3), torch.zeros(2, 21, dtype=torch.bool))

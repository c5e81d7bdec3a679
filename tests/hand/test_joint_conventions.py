"""What detectors call joints, on the bones of the model; and a fit that is not misled by it."""

import numpy as np
import pytest
import torch

from handrefine.hand.anatomy import pose_prior
from handrefine.hand.fit import FitSettings, fit_to_joints
from handrefine.hand.joint_conventions import BONES_MM, JointConvention, joint_convention
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import JOINT_NAMES

FINGERS = ("index", "middle", "ring", "pinky")


@pytest.fixture(scope="module")
def model() -> HandModel:
    torch.set_num_threads(1)
    return load_hand_model("right").to(torch.float64)


def rest_joints(model: HandModel) -> torch.Tensor:
    flat = torch.cat([torch.zeros(3, dtype=torch.float64), -model.hands_mean])[None]
    return model.joints(flat, *(torch.zeros(1, n, dtype=torch.float64) for n in (10, 3)))[0]


def hands(model: HandModel, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and joints of one person's bent hands."""
    g = torch.Generator().manual_seed(5)
    draw = {n: torch.randn(frames, n, generator=g, dtype=torch.float64) for n in (45, 10, 3)}
    prior = pose_prior(model)
    pose = torch.linalg.solve(prior.whitening, 0.6 * draw[45].T).T.clamp(prior.lower, prior.upper)
    out = model(torch.cat([draw[3], pose], dim=1), 0.6 * draw[10][:1].expand(frames, -1), draw[3])
    return out.verts_world, out.joints_world


def lengths_mm(joints: torch.Tensor, finger: str) -> np.ndarray:
    first = JOINT_NAMES.index(f"{finger}1")
    return 1e3 * torch.linalg.norm(joints[first + 1 : first + 4] - joints[first : first + 3], dim=-1).numpy()


def test_the_models_own_joints_are_left_alone(model: HandModel):
    rest = rest_joints(model)
    assert torch.equal(joint_convention("model", rest).seen(rest, None), rest)


def test_landmarks_divide_fingers_as_anatomy_does(model: HandModel):
    """First bones become the longest by as much as people's are; the finger's end stays where it is."""
    rest = rest_joints(model)
    seen = joint_convention("landmarks", rest).seen(rest, None)
    for finger in FINGERS:
        own, marked = lengths_mm(rest, finger), lengths_mm(seen, finger)
        assert marked[0] > own[0] + 4
        bones = np.array(BONES_MM[finger])
        np.testing.assert_allclose(marked / marked.sum(), bones / bones.sum(), atol=0.04)
        tip = JOINT_NAMES.index(f"{finger}4")
        assert torch.equal(seen[tip], rest[tip])
    assert 0.004 < float(torch.linalg.norm(seen[0] - rest[0])) < 0.012


def as_marked(convention: JointConvention, joints: torch.Tensor, noise_m: float) -> torch.Tensor:
    """As a detector that keeps to the convention would mark one person's joints, who is not the average."""
    g = torch.Generator().manual_seed(7)
    person = torch.randn(21, generator=g, dtype=torch.float64)
    noise = torch.randn(joints.shape, generator=g, dtype=torch.float64)
    return convention.seen(joints, person) + noise_m * noise


def test_joints_by_another_convention_are_recognised_and_leave_noise_only(model: HandModel):
    verts, joints = hands(model, 3)
    marked = as_marked(joint_convention("landmarks", rest_joints(model)), joints, 0.001)
    valid = torch.ones(3, 21, dtype=torch.bool)
    found, mistaken = (
        fit_to_joints(model, marked, valid, FitSettings(convention=name)) for name in ("auto", "model")
    )
    assert (found.convention, mistaken.convention) == ("landmarks", "model")
    assert found.residual_mm.mean() < 2.0
    assert mistaken.residual_mm.mean() > 3.0

    def error_mm(fit) -> float:
        p = fit.parameters
        out = model(*(torch.as_tensor(x) for x in (p.pose_aa, p.shape, p.trans_m)))
        return 1e3 * float(torch.linalg.norm(out.verts_world - verts, dim=-1).mean())

    assert error_mm(found) < 0.7 * error_mm(mistaken)


@pytest.mark.parametrize("noise_m", [0.0, 0.004])
def test_the_models_own_joints_are_recognised_even_where_they_are_noisy(model: HandModel, noise_m: float):
    joints = hands(model, 2)[1]
    noise = noise_m * torch.randn(joints.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert fit_to_joints(model, joints + noise, torch.ones(2, 21, dtype=torch.bool)).convention == "model"

"""Capsules around bones: distances, gradients, and hands that do or do not pass through each other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from handrefine.hand.capsules import bone_radii
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.losses.penetration import overlaps_m, segment_distance
from handrefine.sequence import BONES, JOINT_NAMES


def penetration(joints_world: list[torch.Tensor], radii_m: list[torch.Tensor]) -> torch.Tensor:
    """The mean over frames of the squared depth in mm^2."""
    return (1e3 * overlaps_m(joints_world, radii_m)).square().sum() / len(joints_world[0])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), degenerate=st.sampled_from(["no", "parallel", "point"]))
def test_distance_of_segments_is_the_least_over_a_grid(seed: int, degenerate: str):
    """Against all pairs of 201 points a segment, which are at most 0.005 lengths off on either segment."""
    a, b = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if degenerate == "parallel":
        b[1] = b[0] + 0.7 * (a[1] - a[0])
    elif degenerate == "point":
        b[1] = b[0]
    t = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None]
    grid = torch.cdist(a[0] + t * (a[1] - a[0]), b[0] + t * (b[1] - b[0])).min().item()
    slack = 0.005 * float((a[1] - a[0]).norm() + (b[1] - b[0]).norm())
    assert grid - slack <= segment_distance(a, b).item() <= grid + 1e-9


def test_distance_has_the_gradient_of_finite_differences():
    """gradcheck in float64 (1e-5, 1e-3) for nearest points inside and at the ends of segments."""
    a, b = torch.randn(2, 12, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert gradcheck(segment_distance, (a.requires_grad_(), b.requires_grad_()))


def test_radii_are_those_of_a_hand():
    radii_mm = 1e3 * bone_radii(load_hand_model("right"))
    fingers = torch.tensor([k for k in range(20) if k % 4 >= 2])
    assert (radii_mm[fingers] > 2.5).all()
    assert (radii_mm[fingers] < 12).all()
    assert torch.allclose(radii_mm, 1e3 * bone_radii(load_hand_model("left")), atol=0.1)


def flat(model: HandModel) -> torch.Tensor:
    return model(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3), flat_hand_mean=True).joints_world


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("key", ["relaxed", "open", "fist", "point"])
def test_hands_as_people_hold_them_cost_nothing(side, key):
    from handrefine.synthetic.gesture import _key_pose  # the poses by name

    model = load_hand_model(side)
    radii, rest = bone_radii(model), flat(model)[0].numpy()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pose = torch.tensor(np.concatenate([np.zeros(3), _key_pose(key, rest, side, rng)])[None]).float()
        shape = torch.tensor(np.clip(rng.normal(0, 0.7, (1, 10)), -2, 2)).float()
        joints = model(pose, shape, torch.zeros(1, 3), flat_hand_mean=True).joints_world
        assert penetration([joints], [radii]).item() == 0.0


def test_a_finger_moved_into_its_neighbour_is_pushed_out():
    model = load_hand_model("right")
    radii, joints = bone_radii(model), flat(model).double()
    index = [JOINT_NAMES.index(f"index{k}") for k in (2, 3, 4)]
    middle = [JOINT_NAMES.index(f"middle{k}") for k in (2, 3, 4)]
    crossed = joints.clone()
    crossed[:, index] = joints[:, middle] + 0.25 * (joints[:, index] - joints[:, middle])
    crossed.requires_grad_()
    loss = penetration([crossed], [radii])
    loss.backward()
    assert loss.item() > 10
    assert crossed.grad is not None
    away = (joints[:, index] - joints[:, middle])[0]
    assert ((-crossed.grad[0, index] * away).sum(dim=1) > 0).all()


def test_penetration_has_the_gradient_of_finite_differences():
    """Two hands 1 cm apart, float64, gradcheck's 1e-3; differences of 1e-7 m against a curvature scale of 1 mm."""
    model = load_hand_model("right")
    radii, joints = bone_radii(model).double(), flat(model).double()
    noise = 0.003 * torch.randn(2, 21, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = joints + noise[:1], joints + noise[1:] + torch.tensor([0.0, 0.01, 0.004])
    assert gradcheck(
        lambda x, y: penetration([x, y], [radii, radii]),
        (first.requires_grad_(), second.requires_grad_()),
        eps=1e-7,
        atol=1e-2,
    )


def test_two_hands_apart_together_and_with_one_missing():
    model = load_hand_model("right")
    radii, joints = bone_radii(model), flat(model)
    apart = joints + torch.tensor([0.0, 0.2, 0.0])
    assert penetration([joints, apart], [radii, radii]).item() == 0.0
    through = joints + torch.tensor([0.0, 0.005, 0.003])
    assert penetration([joints, through], [radii, radii]).item() > 100
    missing = torch.full_like(joints, torch.nan)
    here = joints.clone().requires_grad_()
    loss = penetration([here, missing], [radii, radii])
    loss.backward()
    assert loss.item() == 0.0
    assert here.grad is not None
    assert torch.isfinite(here.grad).all()


def test_bones_follow_the_fingers():
    names = [(JOINT_NAMES[a], JOINT_NAMES[b]) for a, b in BONES]
    assert names[4:8] == [("wrist", "index1"), ("index1", "index2"), ("index2", "index3"), ("index3", "index4")]
    assert len(names) == 20

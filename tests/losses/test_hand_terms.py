"""Terms that ask no image: the same in both conventions, scaled by their weights, one block a hand."""

import numpy as np
import pytest
import torch
from made_iterates import iterate_of, pose_of, setup_of, values, video_hand
from made_observations import NAMES

from handrefine.losses.base import TermConfig
from handrefine.losses.joint_limits import JointLimitsConfig
from handrefine.losses.occluded import OccludedConfig
from handrefine.losses.penetration import PenetrationConfig
from handrefine.losses.usual_pose import UsualPoseConfig
from handrefine.losses.usual_shape import UsualShapeConfig
from handrefine.scene.pose import PoseVariables
from handrefine.scene.video_model import VideoHand

ALL: dict[str, TermConfig] = {
    "joint_limits": JointLimitsConfig(weight=1),
    "usual_pose": UsualPoseConfig(weight=1),
    "usual_shape": UsualShapeConfig(weight=1),
    "occluded": OccludedConfig(weight=1),
}


def test_the_same_pose_costs_the_same_in_both_conventions():
    bent = np.random.default_rng(0).normal(0, 0.4, (2, 48))
    from_mean, from_flat = video_hand(pose_of(bent)), video_hand(pose_of(bent.copy(), flat_hand_mean=True))
    from_flat.pose.base_articulation += from_flat.hand.hands_mean
    nothing_occluded = [torch.zeros(2, 15)]
    a, b = (
        values(ALL, setup_of([hand]), iterate_of([hand], occluded=nothing_occluded))
        for hand in (from_mean, from_flat)
    )
    assert list(a) == list(ALL)
    for name in a:
        assert a[name].item() == pytest.approx(b[name].item(), rel=1e-4, abs=1e-6)


def test_weights_scale_terms_and_hands_are_averaged():
    pose = pose_of(np.random.default_rng(1).normal(0, 0.5, (1, 48)))
    with torch.no_grad():
        pose.articulation += 0.1
        pose.shape[3] = 2.0
    hand, occluded = video_hand(pose), torch.ones(1, 15)
    whole = values(ALL, setup_of([hand]), iterate_of([hand], occluded=[occluded]))
    half = values({"usual_pose": UsualPoseConfig(weight=0.5)}, setup_of([hand]), iterate_of([hand]))
    assert half["usual_pose"].item() == pytest.approx(0.5 * whole["usual_pose"].item())
    a_view = whole["usual_shape"].item() * len(NAMES)
    assert a_view == pytest.approx(0.4)  # one beta of ten
    seen: dict[str, TermConfig] = {"occluded": OccludedConfig(weight=1, seen=0.25)}
    told = values(seen, setup_of([hand]), iterate_of([hand], occluded=[torch.zeros(1, 15)]))
    assert told["occluded"].item() == pytest.approx(0.25 * whole["occluded"].item())
    twice = values(ALL, setup_of([hand] * 2), iterate_of([hand] * 2, occluded=[occluded] * 2))
    assert {name: term.item() for name, term in twice.items()} == pytest.approx(
        {name: term.item() for name, term in whole.items()}
    )


def test_a_usual_shape_counts_less_the_more_views_there_are():
    """Per view by default, and where every frame has its own shape, the other frames do not speak for it."""
    pose = pose_of(np.zeros((4, 48)))
    with torch.no_grad():
        pose.shape[3] = 2.0
    hand = video_hand(pose)

    def cost(config: UsualShapeConfig, hand: VideoHand) -> float:
        return values({"usual_shape": config}, setup_of([hand]), iterate_of([hand]))["usual_shape"].item()

    assert cost(UsualShapeConfig(weight=1, per_view=False), hand) == pytest.approx(0.4)
    assert cost(UsualShapeConfig(weight=1), hand) == pytest.approx(0.4 / (4 * len(NAMES)))
    alone = video_hand(PoseVariables(pose.parameters_now(), shape_per_frame=True))
    assert cost(UsualShapeConfig(weight=1), alone) == pytest.approx(0.4 / len(NAMES))


def test_the_other_hand_is_not_passed_through():
    hand, terms = video_hand(pose_of(np.zeros((1, 48)))), {"penetration": PenetrationConfig(weight=1)}
    inside = torch.tensor([0.0, 0.004, 0.004])
    still = hand.geometry().joints_world.detach() + inside
    assert values(terms, setup_of([hand]), iterate_of([hand]))["penetration"].item() == 0.0
    other = video_hand(pose_of(np.zeros((1, 48))))
    with torch.no_grad():
        other.pose.translation += inside
    both = values(terms, setup_of([hand, other]), iterate_of([hand, other]))["penetration"]
    term = values(terms, setup_of([hand], still_joints_world=still), iterate_of([hand]))["penetration"]
    assert both.item() == pytest.approx(term.item(), rel=1e-4)
    term.backward()
    assert term.item() > 100
    assert hand.pose.translation.grad is not None
    assert hand.pose.translation.grad.abs().max() > 0

"""The vertex metric: what a change of pose and shape moves, and the step that it makes of a gradient."""

import numpy as np
import pytest
import torch

from handrefine.hand.model import load_hand_model
from handrefine.optimizers.vertex_metric import Motion, VertexMetric, measure_metric
from handrefine.optimizers.vertex_metric_descent import VertexMetricConfig, VertexMetricDescent
from handrefine.scene.pose import PoseVariables
from handrefine.scene.texture import TexturePyramid
from handrefine.scene.video_model import VideoHand
from handrefine.sequence import ManoParameters

FRAMES = 3


def model(*, alone: bool) -> VideoHand:
    rng = np.random.default_rng(2)
    pose = rng.normal(0, 0.2, (FRAMES, 48))
    start = ManoParameters(pose, rng.normal(0, 0.3, (FRAMES, 10)), rng.normal(0, 0.1, (FRAMES, 3)))
    variables = PoseVariables(start, shape_per_frame=alone)
    return VideoHand(load_hand_model("right"), variables, TexturePyramid(8))


def change(*, alone: bool) -> Motion:
    rng = torch.Generator().manual_seed(1)
    own = 1e-3 * torch.randn(FRAMES, 61 if alone else 51, generator=rng).double()
    return Motion(own, 1e-3 * torch.randn(0 if alone else 10, generator=rng).double())


@pytest.mark.parametrize("alone", [False, True])
def test_the_metric_tells_the_motion_of_the_vertices(alone: bool) -> None:
    hand, moved = model(alone=alone), change(alone=alone)
    told = measure_metric([hand]).motion_m(moved)
    with torch.no_grad():
        before = hand.geometry().verts_world
        parts = moved.own.float().split([3, 3, 45, *([10] if alone else [])], dim=1)
        names = ("rotation", "translation", "articulation", "shape")
        for name, part in zip(names, parts if alone else [*parts, moved.shared.float()], strict=True):
            getattr(hand.pose, name).add_(part)
        squared = (hand.geometry().verts_world - before).double().square().sum(dim=-1)
    measured = squared.mean(dim=1).sqrt() if alone else squared.mean().sqrt()[None]
    torch.testing.assert_close(told, measured, rtol=0.02, atol=0)


@pytest.mark.parametrize("alone", [False, True])
def test_the_metric_tells_how_far_the_furthest_joint_moves(alone: bool) -> None:
    hand, moved = model(alone=alone), change(alone=alone)
    told = measure_metric([hand]).reach_m(moved)
    with torch.no_grad():
        before = hand.geometry().joints_world
        parts = moved.own.float().split([3, 3, 45, *([10] if alone else [])], dim=1)
        names = ("rotation", "translation", "articulation", "shape")
        for name, part in zip(names[: len(parts)], parts, strict=True):
            getattr(hand.pose, name).add_(part)
        measured = (hand.geometry().joints_world - before).double().norm(dim=2).amax(dim=1)
    torch.testing.assert_close(told, measured, rtol=0.02, atol=0)


def test_a_step_into_one_finger_is_held() -> None:
    """All of the gradient in one finger at one frame: the step's length would throw it across the hand."""
    hand, config = model(alone=False), VertexMetricConfig(step_mm=1.5, reach_mm=4.0)
    descent = VertexMetricDescent([hand], ("rotation", "translation", "articulation", "shape"), config)
    before = hand.geometry().joints_world.detach()
    for name in ("rotation", "translation", "shape"):
        parameter = getattr(hand.pose, name)
        parameter.grad = torch.zeros_like(parameter)
    hand.pose.articulation.grad = torch.zeros_like(hand.pose.articulation)
    hand.pose.articulation.grad[0, 6:9] = 1.0  # the last joint of the first finger
    descent.step(1.0)
    moved_mm = 1000 * (hand.geometry().joints_world.detach() - before).norm(dim=2)
    assert moved_mm.max() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("alone", [False, True])
def test_solving_undoes_the_metric(alone: bool) -> None:
    metric, wanted = measure_metric([model(alone=alone)]), change(alone=alone)
    damping = Motion(torch.full_like(wanted.own, 1e-4), torch.full_like(wanted.shared, 1e-4))
    own = torch.einsum("fij,fj->fi", metric.blocks, wanted.own) + damping.own * wanted.own
    own = own + torch.einsum("fij,j->fi", metric.coupling, wanted.shared)
    shared = torch.einsum("fij,fi->j", metric.coupling, wanted.own)
    shared = shared + metric.shared @ wanted.shared + damping.shared * wanted.shared
    found = metric.solve(Motion(own, shared), damping)
    torch.testing.assert_close(found.own, wanted.own, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found.shared, wanted.shared, rtol=1e-6, atol=1e-9)


def test_a_frame_of_its_own_does_not_feel_the_others() -> None:
    metric, gradient = measure_metric([model(alone=True)]), change(alone=True)
    damping = Motion(torch.full_like(gradient.own, 1e-6), gradient.shared)
    first = VertexMetric(metric.blocks[:1], metric.coupling[:1], metric.shared, metric.joints[:1])
    together, by_itself = (
        metric.solve(gradient, damping).own[0],
        first.solve(Motion(gradient.own[:1], gradient.shared), Motion(damping.own[:1], damping.shared)).own[0],
    )
    torch.testing.assert_close(together, by_itself)

"""Betas beyond what hands have cost; those within cost nothing, however many views there are."""

import numpy as np
import pytest
import torch
from made_iterates import iterate_of, pose_of, setup_of, values, video_hand

from handrefine.losses.shape_limits import ShapeLimitsConfig


def cost(betas: list[float], frames: int = 1) -> torch.Tensor:
    pose = pose_of(np.zeros((frames, 48)))
    with torch.no_grad():
        pose.shape.copy_(torch.tensor(betas + [0.0] * (10 - len(betas))))
    hand = video_hand(pose)
    found = values({"shape_limits": ShapeLimitsConfig(weight=1, limit=2.5)}, setup_of([hand]), iterate_of([hand]))
    return found["shape_limits"]


@pytest.mark.parametrize("frames", [1, 4])
def test_only_what_lies_beyond_the_limit_costs(frames: int):
    assert cost([2.5, -2.4, 1.0], frames).item() == 0.0
    assert cost([3.0], frames).item() == pytest.approx(4.0)  # (0.5 / 0.25)^2
    assert cost([-3.0, 2.75], frames).item() == pytest.approx(5.0)


def test_it_pulls_back():
    pose = pose_of(np.zeros((1, 48)))
    with torch.no_grad():
        pose.shape[:2] = torch.tensor([-4.0, 2.0])
    hand = video_hand(pose)
    term = {"shape_limits": ShapeLimitsConfig(weight=1)}
    values(term, setup_of([hand]), iterate_of([hand]))["shape_limits"].backward()
    assert pose.shape.grad is not None
    assert pose.shape.grad[0].item() == pytest.approx(-2 * 1.5 / 0.25**2)
    assert pose.shape.grad[1].item() == 0.0

"""The detections term on an open hand before one camera."""

import dataclasses

import numpy as np
import torch
from made_iterates import iterate_of, pose_of, setup_of, video_hand
from made_observations import NAMES, observations

from handrefine.losses.detections import DetectionsConfig
from handrefine.observations import CropWindow, Observations
from handrefine.sequence import Camera
from handrefine.views import View, ViewSet

FULL = Camera("x", 640, 480, 500.0, 510.0, 318.0, 243.0, np.eye(3), np.array([0.0, 0.0, 0.7]))
CORNER = (200, 100)


def seen() -> Observations:
    """Windows of 240 x 288 px that are shrunk to 24 x 24."""
    camera = FULL.cropped(*CORNER, 240, 288).resized(24, 24)
    window = CropWindow(*CORNER, CORNER[0] + 240, CORNER[1] + 288, camera)
    return dataclasses.replace(observations(), views=ViewSet((View(0, camera),) * 4), windows=(window,) * 4)


def residual(offset_px: np.ndarray, confidence: np.ndarray | None = None, **changes) -> tuple[float, torch.Tensor]:
    """The term's value where detections are off by so much in the full image, and its gradient in translation."""
    hand = video_hand(pose_of(np.zeros((1, 48))))
    iterate = iterate_of([hand], seen=seen())
    joints = iterate.prediction.geometries[0].joints_world[0].detach()
    found = np.concatenate([FULL.project(joints).numpy() + offset_px, np.ones((21, 1))], axis=1)
    if confidence is not None:
        found[:, 2] = confidence
    setup = dataclasses.replace(setup_of([hand], seen=seen()), detections=({(0, NAMES[1]): found},))
    term = DetectionsConfig(**changes).build(setup)
    (block,) = term.residuals(iterate)
    value = block.value()
    value.backward()
    return float(value), hand.pose.translation.grad[0]


def test_joints_where_they_were_found_cost_nothing():
    value, _ = residual(np.zeros((21, 2)))
    assert value < 1e-8


def test_the_cost_is_that_of_geman_and_mcclure_in_shares_of_the_focal_length():
    value, gradient = residual(np.tile([3.0, 0.0], (21, 1)))  # 3 px of a focal length of 500 px: 0.006
    assert abs(value - 0.5) < 1e-3
    assert gradient[0] < 0  # the hand is pulled to where it was found: to larger x
    wild, weak = residual(np.tile([300.0, 0.0], (21, 1)))
    assert wild > 0.99
    assert weak.abs().max() < 0.01 * gradient.abs().max()


def test_confidence_weighs_and_what_was_not_found_says_nothing():
    offset = np.zeros((21, 2))
    offset[3] = [3.0, 0.0]
    sure = np.full(21, 0.5)
    value, _ = residual(offset, sure)
    assert abs(value - 0.5 / 21) < 1e-4
    sure[3] = 0.0
    assert residual(offset, sure)[0] < 1e-8
    offset[3] = np.nan
    value, gradient = residual(offset)
    assert value < 1e-8
    assert torch.isfinite(gradient).all()


def test_without_detections_there_is_no_term():
    hand = video_hand(pose_of(np.zeros((1, 48))))
    assert DetectionsConfig().build(setup_of([hand], seen=seen())) is None

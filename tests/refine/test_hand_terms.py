"""Terms that ask no picture, put together for a hand, and what the cameras see of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_observations import observations

from handrefine.appearance.colour import ColourTransforms
from handrefine.appearance.light import SphericalLight
from handrefine.appearance.texture import TexturePyramid
from handrefine.config import ObjectiveConfig
from handrefine.hand.anatomy import pose_prior
from handrefine.hand.model import HandGeometry, load_hand_model
from handrefine.refine.hand_terms import HandTerms, PenetrationTerm
from handrefine.refine.model import HandVideoModel, VideoHand
from handrefine.refine.sight import look
from handrefine.refine.variables import PoseVariables
from handrefine.sequence import Camera, ManoParameters
from handrefine.views import View, ViewSet

ALL = ObjectiveConfig(lambda_limits=1, lambda_pose=1, lambda_shape=1, lambda_tie=1, lambda_penetration=1)


def pose_of(pose_aa: np.ndarray, *, flat_hand_mean: bool = False) -> PoseVariables:
    frames = len(pose_aa)
    return PoseVariables(
        ManoParameters(pose_aa, np.zeros((frames, 10)), np.zeros((frames, 3)), flat_hand_mean=flat_hand_mean)
    )


def moving(pose: PoseVariables) -> VideoHand:
    return VideoHand(load_hand_model("right"), pose, TexturePyramid(8))


def geometry(pose: PoseVariables) -> HandGeometry:
    hand = load_hand_model("right")
    return hand(pose.pose_aa(), pose.shapes(), pose.trans_m(), flat_hand_mean=pose.flat_hand_mean)


def test_the_same_pose_costs_the_same_in_both_conventions():
    hand = load_hand_model("right")
    bent = np.random.default_rng(0).normal(0, 0.4, (2, 48))
    from_mean, from_flat = pose_of(bent), pose_of(bent.copy(), flat_hand_mean=True)
    from_flat.base_articulation += hand.hands_mean
    terms = HandTerms(ALL, [hand])
    a, b = (terms([moving(pose)], [torch.zeros(2, 15)]) for pose in (from_mean, from_flat))
    assert sorted(a) == ["limits", "pose", "shape", "tie"]
    for name in a:
        assert a[name].item() == pytest.approx(b[name].item(), rel=1e-4, abs=1e-6)


def test_weights_scale_terms_and_nought_leaves_them_out():
    pose = pose_of(np.random.default_rng(1).normal(0, 0.5, (1, 48)))
    hand, hidden = load_hand_model("right"), torch.ones(1, 15)
    with torch.no_grad():
        pose.articulation += 0.1
        pose.shape[3] = 2.0
    hands = [moving(pose)]
    whole = HandTerms(ALL, [hand])(hands, [hidden])
    only_pose = replace(ALL, lambda_limits=0, lambda_pose=0.5, lambda_shape=0, lambda_tie=0)
    half = HandTerms(only_pose, [hand])
    assert half(hands, [hidden])["pose"].item() == pytest.approx(0.5 * whole["pose"].item())
    assert list(half(hands, [hidden])) == ["pose"]
    assert whole["shape"].item() == pytest.approx(0.4)  # one beta of ten
    seen = HandTerms(ObjectiveConfig(lambda_tie=1, tie_seen=0.25), [hand])(hands, [torch.zeros(1, 15)])
    assert seen["tie"].item() == pytest.approx(0.25 * whole["tie"].item())
    twice = HandTerms(ALL, [hand, hand])(hands * 2, [hidden] * 2)
    assert {name: term.item() for name, term in twice.items()} == pytest.approx(
        {name: term.item() for name, term in whole.items()}
    )


def test_the_other_hand_is_not_passed_through():
    hand, pose = load_hand_model("right"), pose_of(np.zeros((1, 48)))
    own = geometry(pose)
    inside = own.joints_world.detach() + torch.tensor([0.0, 0.004, 0.004])
    assert PenetrationTerm(ALL, [hand])([own])["penetration"].item() == 0.0
    assert PenetrationTerm(ObjectiveConfig(lambda_penetration=0), [hand], inside)([own]) == {}
    both = PenetrationTerm(ALL, [hand, hand])([own, HandGeometry(own.verts_world, inside)])["penetration"]
    term = PenetrationTerm(ALL, [hand], inside)([own])["penetration"]
    assert both.item() == pytest.approx(term.item())
    term.backward()
    assert term.item() > 100
    assert pose.translation.grad is not None
    assert pose.translation.grad.abs().max() > 0


def test_a_finger_behind_the_palm_is_hidden_until_another_camera_looks(runtime):
    """A bent index finger seen from the back of the hand only, then from the front too."""
    del runtime
    hand = load_hand_model("right")
    rest = hand(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3), flat_hand_mean=True)
    centre = rest.joints_world[0].mean(dim=0).double().numpy()

    def camera(side: float) -> Camera:
        """From the back (+y of MANO's frame) or the palm's side, 1 m away."""
        forward = np.array([0.0, -side, 0.0])
        right = np.array([1.0, 0.0, 0.0])
        R = np.stack([right, np.cross(forward, right), forward])
        return Camera("x", 200, 200, 500.0, 500.0, 100.0, 100.0, R, -R @ (centre - forward))

    def sight(pose_aa: np.ndarray, *sides: float):
        pose = pose_of(pose_aa)
        views = ViewSet(tuple(View(0, camera(side)) for side in sides))
        keys = tuple((0, name) for name, _ in zip("abcd", sides, strict=False))
        seen = observations()
        model = HandVideoModel([moving(pose)], SphericalLight(), ColourTransforms(4), 4)
        return look(model, replace(seen, views=views, keys=keys))

    fist = np.zeros((1, 48))
    axes = pose_prior(hand).whitening.reshape(15, 3, 15, 3)
    for joint, angle in zip((0, 1, 2), (1.2, 1.4, 0.8), strict=True):
        axis = axes[joint, 0, joint]
        fist[0, 3 + 3 * joint : 6 + 3 * joint] = -angle * (axis / axis.norm()).numpy()
    if geometry(pose_of(fist)).joints_world[0, 8, 1] > rest.joints_world[0, 8, 1]:
        fist = -fist  # to the palm, which looks along -y
    from_back, from_both = sight(fist, 1.0), sight(fist, 1.0, -1.0)
    assert from_back.hidden[0][0, 2] > 0.8
    assert from_back.hidden[0][0, 3:6].max() < 0.5  # the middle finger, relaxed, lies in view
    assert from_both.hidden[0][0, 2] < 0.6  # seen end-on
    assert from_both.visible_share.shape == (4,)
    assert np.nanmax(from_both.visible_share) == 1.0
    assert np.isnan(from_both.visible_share[2:]).all()

"""What the cameras see of a hand: the share of each joint's surface, and the whole from each camera."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_iterates import pose_of, video_hand
from made_observations import SIZE, observations

from handrefine.hand.anatomy import pose_prior
from handrefine.hand.model import HandGeometry, load_hand_model
from handrefine.refinement.visibility import measure_visibility, occluded_share
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.pose import PoseVariables
from handrefine.scene.video_model import VideoModel
from handrefine.sequence import Camera, FrameIndex
from handrefine.views import View, ViewSet


def geometry(pose: PoseVariables) -> HandGeometry:
    return video_hand(pose).geometry()


def chain() -> tuple[torch.Tensor, list[int]]:
    """Sixteen triangles, one a joint, of one finger of three joints and of twelve that hang on the root."""
    parents = [0, 0, 1, 2, *[0] * 12]
    return torch.eye(16), parents


def test_a_joint_is_seen_by_the_surface_that_it_moves():
    influence, parents = chain()
    area = torch.ones(1, 16)
    seen = torch.zeros(1, 16)
    seen[0, 3] = 1.0  # only the finger's last part
    occluded = occluded_share(seen, area, influence, parents)[0]
    assert occluded[0].item() == 0.0  # a third of what the first joint moves is more than enough
    assert occluded[2].item() == 0.0
    assert occluded[3:].tolist() == [1.0] * 12
    seen[0, 3] = 0.25 * 0.25  # a quarter of what is enough
    assert occluded_share(seen, area, influence, parents)[0, 2].item() == pytest.approx(0.75)


def test_a_finger_behind_the_palm_is_occluded_until_another_camera_looks(runtime):
    """A bent index finger seen from the back of the hand only, then from the front too; a thing may hide that."""
    del runtime
    hand = load_hand_model("right")
    rest = hand(torch.zeros(1, 48), torch.zeros(1, 10), torch.zeros(1, 3), flat_hand_mean=True)
    centre = rest.joints_world[0].mean(dim=0).double().numpy()

    def camera(side: float) -> Camera:
        """From the back (+y of MANO's frame) or the palm's side, 1 m away."""
        forward = np.array([0.0, -side, 0.0])
        right = np.array([1.0, 0.0, 0.0])
        R = np.stack([right, np.cross(forward, right), forward])
        return Camera("x", SIZE, SIZE, 2.5 * SIZE, 2.5 * SIZE, SIZE / 2, SIZE / 2, R, -R @ (centre - forward))

    def visibility(pose_aa: np.ndarray, *sides: float, hidden: tuple[int, ...] = ()):
        pose = pose_of(pose_aa)
        views = ViewSet(tuple(View(0, camera(side)) for side in sides))
        keys = tuple((FrameIndex(0), name) for name, _ in zip("abcd", sides, strict=False))
        known = torch.tensor([float(k not in hidden) for k in range(4)]).repeat_interleave(SIZE * SIZE)
        seen = replace(observations(), views=views, keys=keys, colour_weight=known)
        model = VideoModel([video_hand(pose)], SphericalLight(1), 4, ColourTransforms(4))
        return measure_visibility(model, seen)

    fist = np.zeros((1, 48))
    axes = pose_prior(hand).whitening.reshape(15, 3, 15, 3)
    for joint, angle in zip((0, 1, 2), (1.2, 1.4, 0.8), strict=True):
        axis = axes[joint, 0, joint]
        fist[0, 3 + 3 * joint : 6 + 3 * joint] = -angle * (axis / axis.norm()).numpy()
    if geometry(pose_of(fist)).joints_world[0, 8, 1] > rest.joints_world[0, 8, 1]:
        fist = -fist  # to the palm, which looks along -y
    from_back, from_both = visibility(fist, 1.0), visibility(fist, 1.0, -1.0)
    assert from_back.occluded[0][0, 2] > 0.8
    assert from_back.occluded[0][0, 3:6].max() < 0.5  # the middle finger, relaxed, lies in view
    assert from_both.occluded[0][0, 2] < 0.6  # seen end-on
    hidden = visibility(fist, 1.0, -1.0, hidden=(1,))  # its pixels are unknown
    torch.testing.assert_close(hidden.occluded, from_back.occluded)
    assert from_both.visible_share.shape == (4,)
    assert np.nanmax(from_both.visible_share) == 1.0
    assert np.isnan(from_both.visible_share[2:]).all()

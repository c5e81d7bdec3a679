"""Adam's steps, and that everybody sees them."""

import numpy as np
import torch
from made_iterates import pose_of, video_hand

from handrefine.optimizers.adam import Adam
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.scene.variables import learning_rates
from handrefine.scene.video_model import VideoModel


@torch.no_grad()
def test_a_texture_that_has_moved_is_not_the_one_before() -> None:
    hand = video_hand(pose_of(np.zeros((1, 48))))
    model = VideoModel([hand], SphericalLight(1), 4, ColourTransforms(2))
    before = hand.texture().clone()
    for level in hand.texture.levels:
        level.grad = torch.ones_like(level)
    Adam(model, ["texture"], learning_rates()).step(1.0)
    assert not torch.equal(hand.texture(), before)

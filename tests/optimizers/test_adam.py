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


@torch.no_grad()
def test_averages_go_on_from_a_file_that_keeps_no_order_in_memory() -> None:
    def moved(steps: int, resumed_after: int | None) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        hand = video_hand(pose_of(np.zeros((1, 48))))
        model = VideoModel([hand], SphericalLight(1), 4, ColourTransforms(2))
        adam = Adam(model, ["texture"], learning_rates())
        for k in range(steps):
            if k == resumed_after:
                state = adam.state()
                for of in state["averages"].values():
                    of.update({name: value.contiguous().clone() for name, value in of.items()})
                adam = Adam(model, ["texture"], learning_rates())
                adam.load_state(state)
            for level in hand.texture.levels:
                level.grad = torch.randn(level.shape, generator=generator).contiguous(
                    memory_format=torch.channels_last
                )
            adam.step(1.0)
        return hand.texture()

    torch.testing.assert_close(moved(4, resumed_after=2), moved(4, resumed_after=None), rtol=0, atol=1e-7)

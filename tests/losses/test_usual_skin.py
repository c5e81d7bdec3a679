"""A patch of another hue than the rest of the skin costs; shades of skin do not, and many pixels outweigh it."""

import numpy as np
import pytest
import torch
from made_iterates import iterate_of, pose_of, setup_of, values, video_hand

from handrefine.hand.model import load_hand_model
from handrefine.losses.usual_skin import FREE, SCALE, SIDE, UsualSkinConfig, used_texels
from handrefine.scene.video_model import VideoHand

SKIN, BLUE = torch.tensor([0.6, 0.36, 0.27]), torch.tensor([0.2, 0.3, 0.6])


def hand_with(patch: torch.Tensor, size: int = 8) -> VideoHand:
    """A hand of skin but for one square of the texture, all of which the atlas uses."""
    hand = video_hand(pose_of(np.zeros((1, 48))), texture_size=SIDE)
    texture = SKIN.expand(SIDE, SIDE, 3).clone()
    rows, columns = np.nonzero(used_texels(hand.hand, SIDE).numpy())
    for row, column in list(zip(rows, columns, strict=True))[: size * size]:
        texture[row, column] = patch
    hand.texture.begin_at(texture)
    return hand


def cost(hand: VideoHand) -> torch.Tensor:
    return values({"usual_skin": UsualSkinConfig(weight=1)}, setup_of([hand]), iterate_of([hand]))["usual_skin"]


def test_shades_of_the_same_hue_are_free():
    assert cost(hand_with(0.3 * SKIN)).item() == pytest.approx(0.0, abs=1e-6)
    assert cost(hand_with(SKIN + torch.tensor([0.03, -0.02, 0.02]))).item() == pytest.approx(0.0, abs=1e-6)
    assert cost(hand_with(0.5 * SKIN + 0.4)).item() == pytest.approx(0.0, abs=1e-6)  # gloss


def test_another_hue_costs_what_the_formula_says():
    hand = hand_with(BLUE)
    beside = BLUE - BLUE.mean()  # nearest to blue is grey
    expected = (beside.norm() / SKIN.norm() - FREE) / SCALE * 64 / int(used_texels(hand.hand, SIDE).sum())
    assert cost(hand).item() == pytest.approx(expected.item(), rel=1e-4)


def test_descent_brings_a_patch_back_to_the_hue_and_leaves_the_rest():
    hand = hand_with(BLUE)
    hand.texture.requires_grad_()
    before = hand.texture.patches(SIDE).detach()
    optimizer = torch.optim.SGD(hand.texture.parameters(), lr=1.0)
    first = cost(hand).item()
    for _ in range(20):
        optimizer.zero_grad()
        cost(hand).backward()
        optimizer.step()
    assert cost(hand).item() < 0.9 * first
    now = hand.texture.patches(SIDE).detach()
    skin, blue = ((before - of).abs().amax(dim=-1) < 1e-5 for of in (SKIN, BLUE))
    assert (now - SKIN).abs()[skin].mean() < 0.02
    assert (now - SKIN).norm(dim=-1)[blue].mean() < (before - SKIN).norm(dim=-1)[blue].mean()


def test_the_atlas_is_the_model_s():
    used = used_texels(load_hand_model("right"), 32)
    assert 0.2 < used.float().mean() < 0.9

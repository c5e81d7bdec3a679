"""Texels that few pixels look at follow their coarser levels; those that many look at keep their detail."""

import torch

from handrefine.refinement.seldom_seen import calm
from handrefine.scene.texture import TexturePyramid


def detailed(size: int) -> TexturePyramid:
    texture = TexturePyramid(size)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for level in list(texture.levels)[1:]:
            level.copy_(0.05 * torch.randn(level.shape, generator=generator))
    return texture


def test_detail_without_support_goes_and_the_rest_stays():
    """The left half is looked at by 5 pixels a texel, the right half by a tenth of a percent of it."""
    texture = detailed(64)
    before = [level.detach().clone() for level in texture.levels]
    support = torch.full((1, 64, 64), 5.0)
    support[..., 32:] = 0.005
    calm(texture, support, 0.1)
    for level, was in zip(list(texture.levels)[1:], before[1:], strict=True):
        side = level.shape[-1]
        kept, gone = slice(0, side // 2 - side // 8), slice(side // 2 + side // 8, side)
        assert torch.allclose(level[..., kept], was[..., kept], rtol=0.02)
        assert level[..., gone].abs().max() < 0.02 * was.abs().max()
    assert torch.equal(texture.levels[0], before[0])


def test_a_black_fleck_that_few_pixels_made_takes_the_colour_around_it():
    texture = TexturePyramid(128)
    with torch.no_grad():
        texture.levels[4][..., 64:80, 64:80] = -0.5
    assert float(texture().detach().min()) == 0
    support = torch.ones(1, 128, 128)
    support[..., 56:88, 56:88] = 0.004
    calm(texture, support, 0.1)
    assert float(texture().detach().min()) > 0.45


def test_random_samples_of_a_well_seen_skin_cost_no_detail():
    """A pixel's samples fall on a fifth of the texels; which of them they are must not matter."""
    texture = detailed(128)
    before = texture().detach().clone()
    support = (torch.rand(1, 128, 128, generator=torch.Generator().manual_seed(1)) < 0.2).float()
    calm(texture, support, 0.1)
    assert float((texture() - before).abs().mean()) < 0.05 * float((before - 0.5).abs().mean())


def test_a_texture_that_nobody_sees_keeps_its_coarsest_level_alone():
    texture = detailed(32)
    calm(texture, torch.zeros(1, 32, 32), 0.1)
    assert torch.allclose(texture(), torch.full((1, 32, 32, 3), 0.5))

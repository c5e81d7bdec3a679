"""Texels that few pixels support follow their coarser levels: seams, and what only glancing pixels show."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from handrefine.losses.comparison import beside_hand
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.hooks import Hook, Stage
from handrefine.refinement.problem import Problem
from handrefine.refinement.seen_texels import texel_weights
from handrefine.scene.texture import TexturePyramid

SUPPORT_SEED = 2**31 - 3
#: Side in texels of the areas over which support is evened out.
NEAR = 4


class CalmTextures(Hook):
    """At the end of the last stage that moves the texture, takes detail away that few pixels support.

    A level's texel l with a support of s pixels keeps `l s^2 / (s^2 + (k m)^2)`, with m the median support of the
    level's seen texels and k what is configured (`texture.seldom_seen`). The coarsest level is left alone.

    Args:
        videos: what the videos that share textures have seen; this one alone when missing.
    """

    def __init__(self, cameras: CameraWeights, videos: "Gathered | None" = None) -> None:
        self._cameras, self._videos = cameras, videos or Gathered(1)

    def stage_ends(self, stage: Stage) -> None:
        problem = stage.problem
        share = problem.config.texture.seldom_seen
        moving = [name for name, config in problem.stages.items() if "texture" in config.variables]
        if share > 0 and moving and stage.name == moving[-1]:
            for texture, support in self._videos.add(supports(problem, self._cameras)).items():
                calm(texture, support, share)


class Gathered:
    """The support of textures that several videos share.

    Args:
        n_videos: how many add what they have seen, each once.
    """

    def __init__(self, n_videos: int) -> None:
        self._missing, self._total = n_videos, dict[TexturePyramid, Tensor]()

    def add(self, found: Mapping[TexturePyramid, Tensor]) -> Mapping[TexturePyramid, Tensor]:
        """What all videos have seen, once the last one is there; nothing before."""
        for texture, support in found.items():
            self._total[texture] = self._total[texture] + support if texture in self._total else support
        self._missing -= 1
        return {} if self._missing else self._total


def supports(
    problem: Problem, cameras: CameraWeights
) -> dict[TexturePyramid, Float[Tensor, "texture_frame size size"]]:
    """Of every texture, how many compared pixels look at each texel of its finest level; hands may share one."""
    seen, model = problem.observations, problem.model
    pixels = seen.colour_weight * cameras.colour[seen.camera_of_pixel]
    if problem.config.losses.protect_texture:
        pixels = pixels * ~beside_hand(seen)
    with torch.no_grad():
        geometries = model.geometries()
    found: dict[TexturePyramid, Tensor] = {}
    for index, hand in enumerate(model.hands):
        size = hand.texture.size
        weights = texel_weights(problem, index, (seen, pixels), geometries, size, SUPPORT_SEED)
        found[hand.texture] = found[hand.texture] + weights if hand.texture in found else weights
    return found


@torch.no_grad()
def calm(texture: TexturePyramid, support: Float[Tensor, "texture_frame size size"], share: float) -> None:
    """Take away detail that has less than this share of the usual support, in place."""
    of_level = support[:, None]
    for level in reversed(list(texture.levels)[1:]):
        near = _nearby(of_level)
        usual = near[near > 0].median() if bool((near > 0).any()) else near.new_tensor(0.0)
        squared = near.square()
        level.mul_(squared / (squared + (share * usual).square()).clamp(min=1e-20))
        of_level = 4 * avg_pool2d(of_level, 2)


def _nearby(support: Float[Tensor, "texture_frame 1 size size"]) -> Float[Tensor, "texture_frame 1 size size"]:
    """Means over a few texels: which texel a pixel's random sample falls on says nothing."""
    if support.shape[-1] < NEAR * NEAR:
        return support
    return interpolate(avg_pool2d(support, NEAR), scale_factor=NEAR, mode="bilinear", align_corners=False)

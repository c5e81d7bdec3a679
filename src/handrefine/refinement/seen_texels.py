"""Which texels of a texture the cameras see, and how well."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations
from handrefine.refinement.problem import Problem
from handrefine.render.base import HandSurface

#: Side of the coarse texture on which "seen by at least one camera" is told.
SEEN_SIZE = 256


def seen_texels(
    problem: Problem, index: int, around: Observations, geometries: Sequence[HandGeometry], seed: int
) -> Bool[np.ndarray, "texture_frame seen_size seen_size"]:
    """Texels of a hand's textures that some view samples: those whose change would change a picture in albedo.

    Looked at with four times as many texels, all four of which have to be sampled: at an atlas chart's border a
    texel of the coarse grid is an average that reaches beyond what any camera sees.
    """
    every_pixel = torch.ones(len(around.image), device=problem.runtime.device)
    weights = texel_weights(problem, index, (around, every_pixel), geometries, 2 * SEEN_SIZE, seed)
    sampled = weights > 0
    return sampled.unflatten(2, (SEEN_SIZE, 2)).unflatten(1, (SEEN_SIZE, 2)).all(dim=4).all(dim=2).cpu().numpy()


def texel_weights(
    problem: Problem,
    index: int,
    pixels: tuple[Observations, Float[Tensor, " pixel"]],
    geometries: Sequence[HandGeometry],
    size: int,
    seed: int,
) -> Float[Tensor, "texture_frame {size} {size}"]:
    """How much of some pixels each texel of a hand's textures makes, if it is seen at the first hit.

    Args:
        pixels: the views, and how much every pixel counts.
        size: side of the textures in texels.
    """
    around, counted = pixels
    renderer = problem.new_renderer(replace(problem.config.render, shading="albedo"), around.views)
    n_textures = problem.model.hands[index].texture.n_textures
    texture = torch.full((n_textures, size, size, 3), 0.5, device=problem.runtime.device, requires_grad=True)
    rows = problem.model.hands[index].rows.clamp(min=0)
    dark = torch.zeros(2, 4, 3, device=problem.runtime.device)
    with torch.enable_grad():
        surfaces = [
            HandSurface(verts_world.detach(), texture if n_textures == 1 else texture[rows])
            if k == index
            else HandSurface(verts_world.detach(), torch.zeros_like(texture[:1]))
            for k, verts_world in enumerate(problem.model.surfaces(geometries))
        ]
        picture = renderer.render(surfaces, dark, seed=seed).rgb
        (gradient,) = torch.autograd.grad((picture * counted[:, None]).sum(), texture)
    return gradient.abs().mean(dim=-1)

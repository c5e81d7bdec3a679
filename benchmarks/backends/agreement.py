"""Do the renderers draw the same image, and are their gradients the slopes of their own images?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.backends.contenders import close, contender
from benchmarks.renderer.workload import TEXTURE_SIZE, Workload
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Shading
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.truth import SyntheticSettings, make_truth

Directions = Mapping[str, tuple[int, Tensor, float]]
#: A view, where the batched renderer's gradient is judged.
SHADOW_SAMPLES = 4000
FINGER = slice(3 + 9, 3 + 12)  # the middle finger's root, axis-angle


def images(work: Workload, spp: int) -> list[dict]:
    """Mean relative difference of `fixed` from our batched renderer over the pixels that the hand covers, with a
    constant skin and with the video's. Each image is the mean of two seeds'; their difference tells the noise."""
    cases = (("constant", 3), ("video", 3))
    skins = {"constant": torch.full_like(work.texture, 0.5), "video": work.texture}
    return [_images_differ(work, spp, skin, skins[skin], depth) for skin, depth in cases]


def _images_differ(work: Workload, spp: int, skin: str, texture: Tensor, depth: int) -> dict:
    hand = [HandSurface(work.verts_world, texture)]

    def pair(label: str, samples: int) -> tuple[Tensor, Tensor, Tensor]:
        """The mean of two images, of their coverage, and the images' difference."""
        renderer = contender(label, work, RenderConfig(spp=samples, depth=depth))
        with torch.no_grad():
            first, second = (renderer.render(hand, work.environment, seed=seed) for seed in (0, 1))
        close([renderer])
        return (first.rgb + second.rgb) / 2, (first.coverage + second.coverage) / 2, first.rgb - second.rgb

    ours, coverage, our_noise = pair("batched", spp)
    theirs, their_coverage, their_noise = pair("redner fixed", spp)
    stock, _, _ = pair("redner stock", max(1, spp // 8))
    inside = coverage[:, 0] > 0.999
    level = ours[inside].mean()

    def share(values: Tensor) -> float:
        return float(values[inside].abs().mean() / level)

    return {
        "skin": skin,
        "depth": depth,
        "spp": 2 * spp,
        "pixels": int(inside.sum()),
        "difference": share(ours - theirs),
        "noise": float(np.hypot(share(our_noise), share(their_noise)) / 2),
        "mean_ratio_fixed": float(theirs[inside].mean() / level),
        "mean_ratio_stock": float(stock[inside].mean() / level),
        "coverage_difference": float((coverage - their_coverage).abs().mean()),
        "worst_view": _worst_view(work, ours, theirs, inside),
    }


def _worst_view(work: Workload, ours: Tensor, theirs: Tensor, inside: Tensor) -> dict:
    """The view that holds the worst covered pixel, small enough for a result file: three digits a pixel."""
    off = work.views.split(((ours - theirs).abs().mean(-1) * inside)[:, None])
    worst = max(range(len(off)), key=lambda k: float(off[k].max()))
    kept = {"ours": ours, "theirs": theirs, "inside": inside[:, None].float()}
    rounded = {
        name: [[round(float(v), 3) for v in row] for row in work.views.split(x)[worst].mean(-1)]
        for name, x in kept.items()
    }
    return {"view": worst, **rounded}


def gradients(work: Workload, label: str, *, spp: int, seeds: int) -> list[dict]:
    """Gradients along directions against central differences of the same renderer's own images.

    With the video's skin; and, of the vertices, with a constant one, which leaves out how texture slides over
    pixels. Redner's `stock` differs from its `fixed` in radiance only.
    """
    shadings: tuple[Shading, ...] = ("radiance",) if label == "redner stock" else ("albedo", "radiance")
    constant = replace(work, texture=torch.full_like(work.texture, 0.5))
    samples = []
    for shading in shadings:
        for skin, skinned in (("video", work), ("constant", constant)):
            few = RenderConfig(shading=shading, spp=spp, depth=2, shadow_samples=SHADOW_SAMPLES)
            found = list(_gradients(skinned, label, few, seeds, vertices_only=skin == "constant"))
            samples += [{"renderer": label, "shading": shading, "skin": skin, **sample} for sample in found]
    return samples


def _gradients(
    work: Workload, label: str, config: RenderConfig, seeds: int, *, vertices_only: bool
) -> Iterator[dict]:
    weights, renderer = _smooth_weights(work), contender(label, work, config)
    directions = {
        name: direction
        for name, direction in _directions(work).items()
        if not (name == "light" and config.shading == "albedo") and not (vertices_only and direction[0] != 0)
    }
    slopes = [_slopes(renderer, work, weights, directions, seed) for seed in range(seeds)]
    for name, (which, direction, step) in directions.items():
        differences = [
            _difference(renderer, work, weights, which, direction, step, 100 + seed) for seed in range(seeds)
        ]
        yield {
            "variable": name,
            "gradient": [slope[name] for slope in slopes],
            "finite_difference": differences,
        }
    close([renderer])


def _image(renderer: Renderer, values: list[Tensor], weights: Tensor, seed: int) -> Tensor:
    verts, texture, environment = values
    return (renderer.render([HandSurface(verts, texture)], environment, seed=seed).rgb * weights).sum()


def _slopes(renderer: Renderer, work: Workload, weights: Tensor, directions: Directions, seed: int) -> dict:
    """All directions from one gradient."""
    leaves = list(work.leaves())
    _image(renderer, leaves, weights, seed).backward()
    return {
        name: 0.0 if (grad := leaves[which].grad) is None else float((grad * direction).sum())
        for name, (which, direction, _) in directions.items()
    }


def _difference(renderer, work: Workload, weights, which: int, direction, step: float, seed: int) -> float:
    ends = []
    for side in (1, -1):
        values = [x.detach() for x in work.leaves()]
        values[which] = values[which] + side * step * direction
        with torch.no_grad():
            ends.append(float(_image(renderer, values, weights, seed)))
    return (ends[0] - ends[1]) / (2 * step)


def _directions(work: Workload) -> Directions:
    """(index of the variable, direction, step): metres, radians, reflectance, a coefficient's radiance."""
    frames = len(work.verts_world)
    settings = SyntheticSettings(
        n_cameras=len(work.views) // frames,
        n_frames=frames,
        size=work.views.views[0].camera.width,
        texture_size=TEXTURE_SIZE,
    )
    mano = make_truth(work.hand, work.hand.default_skin(), settings).mano
    pose, shape, trans = (torch.as_tensor(x).float() for x in (mano.pose_aa, mano.shape, mano.trans_m))
    bent = []
    with torch.no_grad():
        for side in (1, -1):
            moved = pose.clone()
            moved[:, FINGER] += side * 1e-2 * torch.tensor([0.0, 0.0, 1.0])
            bent.append(work.hand(moved, shape, trans, flat_hand_mean=mano.flat_hand_mean).verts_world)
    patch = torch.zeros_like(work.texture)
    size = patch.shape[1]
    patch[:, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    height, width = work.environment.shape[:2]
    wave = sh_basis(latlong_directions(height, width), 1)[..., 3:4].expand(-1, -1, 3).contiguous()
    along = torch.tensor([1.0, 0.0, 0.0]).expand_as(work.verts_world)
    return {
        "translation": (0, along, 5e-4),
        "joint angle": (0, (bent[0] - bent[1]) / 2e-2, 1e-2),
        "texture": (1, patch, 0.05),
        "light": (2, wave, 0.05),
    }


def _smooth_weights(work: Workload) -> Tensor:
    """A ramp across every image, so that the two sides of a finger do not cancel."""
    ramps = []
    for view in work.views.views:
        h, w = view.camera.height, view.camera.width
        y, x = torch.meshgrid(torch.arange(h) / h, torch.arange(w) / w, indexing="ij")
        ramps.append((x + 0.5 * y + 0.25)[..., None].expand(-1, -1, 3))
    return work.views.flatten(ramps)

"""Do the renderers draw the same picture, and are their gradients the slopes of their own pictures?"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from benchmarks.backends.contenders import close, contender
from benchmarks.renderer.workload import TEXTURE_SIZE, Workload
from handrefine.data.synthetic import SyntheticSettings, make_truth
from handrefine.render.base import HandSurface, Renderer, RenderSettings
from handrefine.spherical import latlong_directions, sh_basis

Loss = Callable[[Tensor, Tensor, Tensor, Renderer, int], Tensor]
FINGER = slice(3 + 9, 3 + 12)  # the middle finger's root, axis-angle


def images(work: Workload, spp: int) -> list[dict]:
    """Mean relative difference of `fixed` from the wavefront, over pixels that the hand covers: with a constant
    skin and with the video's; and between two seeds, which is what noise alone leaves."""
    samples = []
    for skin, texture in (("constant", torch.full_like(work.texture, 0.5)), ("video", work.texture)):
        for depth in (2, 3):
            settings = RenderSettings(spp=spp, depth=depth)
            renderers = {n: contender(n, work, settings) for n in ("wavefront", "redner fixed", "redner stock")}
            hand = [HandSurface(work.verts_world, texture)]
            with torch.no_grad():
                drawn = {
                    (name, seed): renderer.render(hand, work.environment, seed=seed)
                    for name, renderer in renderers.items()
                    for seed in ((0,) if name == "redner stock" else (0, 1))
                }
            ours, theirs = drawn["wavefront", 0], drawn["redner fixed", 0]
            inside = ours.coverage[:, 0] > 0.999
            level = ours.rgb[inside].mean()

            def off(a, b, inside=inside, level=level) -> float:
                return float((a.rgb - b.rgb)[inside].abs().mean() / level)

            noise = np.hypot(off(ours, drawn["wavefront", 1]), off(theirs, drawn["redner fixed", 1])) / np.sqrt(2)
            samples.append(
                {
                    "skin": skin,
                    "depth": depth,
                    "spp": spp,
                    "difference": off(ours, theirs),
                    "noise": float(noise),
                    "mean_ratio_fixed": float(theirs.rgb[inside].mean() / level),
                    "mean_ratio_stock": float(drawn["redner stock", 0].rgb[inside].mean() / level),
                    "coverage_difference": float((ours.coverage - theirs.coverage).abs().mean()),
                    "worst_view": _worst_view(work, ours.rgb, theirs.rgb),
                }
            )
            close(list(renderers.values()))
    return samples


def _worst_view(work: Workload, ours: Tensor, theirs: Tensor) -> dict:
    """The view that holds the worst pixel, small enough for a result file: three digits a pixel."""
    pairs = list(zip(work.views.split(ours), work.views.split(theirs), strict=True))
    worst = max(range(len(pairs)), key=lambda k: float((pairs[k][0] - pairs[k][1]).abs().max()))
    rounded = [[[round(float(v), 3) for v in row] for row in image.mean(-1)] for image in pairs[worst]]
    return {"view": worst, "ours": rounded[0], "theirs": rounded[1]}


def gradients(work: Workload, labels: tuple[str, ...], *, spp: tuple[int, int], seeds: int) -> list[dict]:
    """Gradients along a direction against central differences of the same renderer's own pictures."""
    samples = []
    weights = _smooth_weights(work)
    for label in labels:
        for shading in ("albedo", "radiance"):
            few, many = (contender(label, work, RenderSettings(shading=shading, spp=n, depth=2)) for n in spp)
            for name, (which, direction, step) in _directions(work).items():
                if name == "light" and shading == "albedo":
                    continue
                slopes = [_slope(few, work, weights, which, direction, seed) for seed in range(seeds)]
                differences = [
                    _difference(many, work, weights, which, direction, step, 100 + seed) for seed in range(seeds)
                ]
                samples.append(
                    {
                        "renderer": label,
                        "shading": shading,
                        "variable": name,
                        "gradient": slopes,
                        "finite_difference": differences,
                    }
                )
            close([few, many])
    return samples


def _picture(renderer: Renderer, values: list[Tensor], weights: Tensor, seed: int) -> Tensor:
    verts, texture, environment = values
    return (renderer.render([HandSurface(verts, texture)], environment, seed=seed).rgb * weights).sum()


def _slope(renderer, work: Workload, weights, which: int, direction: Tensor, seed: int) -> float:
    values = list(work.leaves())
    values = [x if k == which else x.detach() for k, x in enumerate(values)]
    (gradient,) = torch.autograd.grad(_picture(renderer, values, weights, seed), values[which])
    return float((gradient * direction).sum())


def _difference(renderer, work: Workload, weights, which: int, direction, step: float, seed: int) -> float:
    ends = []
    for side in (1, -1):
        values = [x.detach() for x in work.leaves()]
        values[which] = values[which] + side * step * direction
        with torch.no_grad():
            ends.append(float(_picture(renderer, values, weights, seed)))
    return (ends[0] - ends[1]) / (2 * step)


def _directions(work: Workload) -> Mapping[str, tuple[int, Tensor, float]]:
    """(index of the variable, direction, step): metres, radians, reflectance, a coefficient's radiance."""
    frames = len(work.verts_world)
    settings = SyntheticSettings(
        cameras=len(work.views) // frames,
        instants=frames,
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

"""The gradient of radiance is the slope of the batched renderer's own images, with shadow edges and terminator.

A ratio alone misleads, since shading and silhouettes nearly cancel; so the misfit over poses and losses is judged.
"""

import pytest
import torch
from radiance_slopes import SHARED, STEPS, Scene, Slopes, by_difference, by_gradient, level
from render_scenes import look_at_camera, sphere

from handrefine.render.base import HandSurface, RenderConfig
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.views import View, ViewSet

#: Why the gradient of one hand close to another is not held to the limits; its cause is not known.
BESIDE = "two hands: a ratio of {} to the difference, and a misfit beyond what is allowed"


def renderer(scene: Scene, size: int, **settings):
    from handrefine.render.mitsuba.batched import BatchedRenderer

    topologies = [hand.topology for hand in scene.hands]
    config = RenderConfig(edge_samples_per_px=64.0, memory_gib=16.0, **settings)
    return BatchedRenderer(topologies, scene.views(size), config)


def slopes(scene: Scene, names, **settings) -> dict[str, Slopes]:
    """Nearly all of the noise is the gradient's."""
    few, many = (renderer(scene, 48, spp=spp, shadow_samples=16_000, **settings) for spp in (128, 1024))
    background = level(scene, few)
    difference = by_difference(scene, few, background, names, range(1000, 1004))
    gradient = by_gradient(scene, many, background, names, range(8))
    return {name: Slopes(gradient[name], difference[name]) for name in names}


@pytest.mark.parametrize("depth", [2, 3])
def test_a_shadow_moves_with_what_casts_it(runtime, depth):
    """Nearly all of the gradient in a sphere outside the picture is its shadow's edge on another one."""
    from handrefine.render.mitsuba.batched import BatchedRenderer

    (seen, first), (above, second) = sphere(0.05), sphere(0.03, 3)
    above += torch.tensor([0.0, -0.01, 0.11])
    views = ViewSet((View(0, look_at_camera((0.0, -0.5, 0.3), (32, 32), (110.0, 110.0))),))
    y, x = torch.meshgrid(torch.arange(32) / 32, torch.arange(32) / 32, indexing="ij")
    weights = views.flatten([(torch.sin(3 * x) + y)[..., None].expand(-1, -1, 3)])
    light = sh_basis(latlong_directions(32, 64), 1) @ torch.tensor([3.5, 0.4, 1.5, 0.4])[:, None].expand(-1, 3)
    grey = torch.full((1, 4, 4, 3), 0.5)
    settings = {"depth": depth, "shadow_samples": 100_000}
    few, many = (BatchedRenderer([first, second], views, RenderConfig(spp=n, **settings)) for n in (64, 1024))

    def loss(renderer, verts, seed):
        hands = [HandSurface(seen[None], grey), HandSurface(verts[None], grey)]
        return (renderer.render(hands, light, seed=seed).rgb * weights).sum()

    gradients = []
    for seed in range(4):
        verts = above.clone().requires_grad_()
        loss(few, verts, seed).backward()
        gradients.append(verts.grad.sum(0))
    gradient = torch.stack(gradients)
    for axis in (1, 2):
        step = 1e-3 * torch.eye(3)[axis]
        with torch.no_grad():
            ends = [loss(many, above + step, s) - loss(many, above - step, s) for s in range(10, 14)]
        difference = torch.stack(ends) / 2e-3
        error = ((gradient[:, axis].var() + difference.var()) / 4).sqrt()
        off = gradient[:, axis].mean() - difference.mean()
        assert off.abs() < 3 * error + 0.01 * difference.mean().abs(), (gradient[:, axis], difference)
        assert error < 0.07 * difference.mean().abs(), (gradient[:, axis], difference)


def test_translation_and_shape_in_radiance(runtime, right_hand, monkeypatch):
    """A cheap part of the table below, and the same without shadow edges: it must tell them apart."""
    from handrefine.render.mitsuba.batched.tracer import Tracer

    scene, names, size = Scene((right_hand,), 1, ("relaxed", "fist")), ("translation x", "beta"), 40
    few, many = (renderer(scene, size, spp=spp, depth=2, shadow_samples=8000) for spp in (64, 256))
    background = level(scene, few)
    differences = by_difference(scene, few, background, names, range(1000, 1004))
    gradients = by_gradient(scene, many, background, names, range(4))
    monkeypatch.setattr(Tracer, "backpropagate_shadow_edges", lambda *_: None)
    still = by_gradient(scene, many, background, names, range(2))
    for name in names:
        found, without = Slopes(gradients[name], differences[name]), Slopes(still[name], differences[name])
        assert found.misfit_beyond_noise < 0.15, f"{name}: {found}"
        assert without.misfit_beyond_noise > 0.3, f"{name}: {without}"


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("shading", "depth"), [("albedo", 2), ("radiance", 2), ("radiance", 3)])
def test_every_parameter(runtime, right_hand, shading, depth, order):
    """Three poses, seen from two sides, one of them into the wrist; a texture that jumps at its seams."""
    left_out = {"albedo": {"light"}, "radiance": {"thumb root"} if depth == 2 else set()}[shading]
    names = [name for name in STEPS if name not in left_out]
    judge(slopes(Scene((right_hand,), order), names, shading=shading, depth=depth), shading, depth)


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True,
    reason="a misfit of 0.18 where 0.10 is allowed, most of it in the relaxed pose, in which nothing touches;"
    " its cause is not known",
)
@pytest.mark.parametrize("order", [1, 2])
def test_a_thumb_that_turns_at_its_root(runtime, right_hand, order):
    """The one direction of the table above in which the gradient falls short."""
    judge(slopes(Scene((right_hand,), order), ["thumb root"], depth=2), "radiance", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "translation y",
        pytest.param("translation x", marks=pytest.mark.xfail(strict=True, reason=BESIDE.format("1.14 +- 0.07"))),
        pytest.param("index root", marks=pytest.mark.xfail(strict=True, reason=BESIDE.format("0.62 +- 0.20"))),
    ],
)
def test_one_hand_beside_another(runtime, right_hand, left_hand, name):
    """Only the first one moves: it shades the second one, and is shaded by it."""
    judge(slopes(Scene((right_hand, left_hand), 1), [name], depth=2), "two hands", 2)


def judge(found: dict[str, Slopes], case: str, depth: int) -> None:
    """Prints the table and holds it to the limits."""
    wrong = []
    for name, slope in found.items():
        print(f"{case}, depth {depth}, {name}: {slope}, beyond it {slope.misfit_beyond_noise:.3f}")
        ratio, error = slope.ratio
        limit = max(0.01 if name in SHARED or case == "albedo" else 0.05, 3 * error)
        if abs(ratio - 1) > limit or slope.misfit_beyond_noise > (0.10 if depth == 2 else 0.15):
            wrong.append(f"{name}: {slope}")
    assert not wrong, wrong

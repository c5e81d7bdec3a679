"""The batched renderer: its images against Mitsuba's, batches, chunks, and what repeats at no cost."""

import dataclasses
import gc

import numpy as np
import pytest
import torch
from render_scenes import look_at_camera, resident_mib

from handrefine.render.base import HandSurface, RenderConfig
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.views import View, ViewSet

EYES = ((0.0, -0.55, 0.15), (0.45, 0.3, -0.2), (-0.1, 0.1, 0.6))


def views(n_frames: int = 1, size: int = 32) -> ViewSet:
    """Cameras of different sizes, focal lengths and crop windows."""
    cameras = [
        look_at_camera(eye, (size + 7 * k, size - 3 * k), (2.0 * size, 2.1 * size)) for k, eye in enumerate(EYES)
    ]
    cameras[1] = cameras[1].cropped(9, 5, size, size)
    return ViewSet(tuple(View(f, c) for f in range(n_frames) for c in cameras))


def smooth_texture(seed: int, size: int = 24, frames: int = 1) -> torch.Tensor:
    coarse = torch.rand(frames, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(size, size + 3), mode="bicubic", align_corners=True)
    return fine.clamp(0, 1).permute(0, 2, 3, 1).contiguous() * 0.7 + 0.1


def low_order_light(height: int = 16) -> torch.Tensor:
    coefficients = torch.tensor([[2.5, 2.2, 2.0], [0.5, 0.2, -0.3], [0.4, 0.8, 0.5], [-0.4, 0.1, 0.3]])
    return sh_basis(latlong_directions(height, 2 * height), 1) @ coefficients


def lamps(height: int = 16) -> torch.Tensor:
    """A light that low-order harmonics do not describe."""
    random = torch.rand(height, 2 * height, 3, generator=torch.Generator().manual_seed(5))
    return low_order_light(height) + 8 * random**8


def make(topologies, viewset, **settings):
    from handrefine.render.mitsuba.batched import BatchedRenderer

    return BatchedRenderer(topologies, viewset, RenderConfig(**settings))


@pytest.mark.parametrize(
    ("shading", "depth", "shadow_samples"),
    [("albedo", 2, 0), ("radiance", 2, 0), ("radiance", 4, 0), ("radiance", 3, 1)],
)
def test_images_equal_the_reference_within_noise(runtime, rest_hand, shading, depth, shadow_samples):
    """Two independent images of each renderer tell the noise; pixels on a rim may differ in which way a shading
    normal that faces away is turned, so 2 % of the pixels are left out. With shadow samples rays leave from the
    smooth surface: within the same limits."""
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    hands = [HandSurface(rest_hand.verts[None], smooth_texture(1))]
    settings = {"shading": shading, "depth": depth, "spp": 256}
    fast = make([rest_hand.topology], views(), shadow_samples=shadow_samples, **settings)
    slow = ReferenceRenderer([rest_hand.topology], views(), RenderConfig(**settings))
    a, b = (torch.stack([r.render(hands, lamps(), seed=s).rgb for s in (0, 1)]) for r in (fast, slow))
    difference = (a.mean(0) - b.mean(0)).norm(dim=-1)
    # Of the difference of two means of two, from the scatter between seeds.
    expected = ((a[0] - a[1]).square().sum(-1) / 4 + (b[0] - b[1]).square().sum(-1) / 4).mean().sqrt()
    kept = difference.sort().values[: int(0.98 * len(difference))]
    assert a.mean() == pytest.approx(b.mean().item(), rel=0.01)
    assert kept.square().mean().sqrt() < 1.3 * expected + 1e-3


def test_stock_path_tracer_draws_the_same_through_our_sensor(runtime, rest_hand):
    """The sensor is a Mitsuba plugin: any integrator can render all views at once."""
    import mitsuba as mi

    from handrefine.render.mitsuba.batched.multiview_sensor import film_size

    viewset = views(2)
    verts = rest_hand.verts.expand(2, -1, -1)
    fast = make([rest_hand.topology], viewset, shading="albedo", spp=64)
    ours = fast.render([HandSurface(verts, torch.full((1, 4, 4, 3), 1.0))], low_order_light(), seed=3)
    tracer = fast._tracers[0]
    depth = mi.load_dict({"type": "aov", "aovs": "t:depth"}, optimize=False)
    image = mi.render(tracer.geometry.scene, sensor=tracer.sensor, integrator=depth, spp=64)
    width, height = film_size(viewset.n_pixels)
    hit = torch.as_tensor(np.array(image)).reshape(width * height, -1)[: viewset.n_pixels, -1] > 0
    assert ((ours.coverage[:, 0] > 0) == hit).float().mean() > 0.99


def test_one_view_of_a_batch_equals_the_same_view_alone(runtime, rest_hand):
    viewset = views(2)
    verts = torch.stack([rest_hand.verts, rest_hand.verts * torch.tensor([1.0, 1.05, 0.9]) + 0.4])
    hands = [HandSurface(verts, smooth_texture(2))]
    batch = make([rest_hand.topology], viewset, depth=3, spp=256).render(hands, lamps(), seed=1)
    images = viewset.split(torch.cat([batch.rgb, batch.coverage], dim=-1))
    for index in (1, 4):
        alone = make([rest_hand.topology], ViewSet((viewset.views[index],)), depth=3, spp=256)
        image = alone.render(hands, lamps(), seed=2)
        expected = torch.cat([image.rgb, image.coverage], dim=-1)
        difference = images[index].reshape(-1, 4) - expected
        # sqrt(2 / 256) times the spread within a pixel (at most 0.5 for coverage, less for radiance), 5 sigma.
        assert difference.abs().max() < 0.25
        assert difference.square().mean().sqrt() < 0.02
        assert difference.mean().abs() < 0.003


def test_chunks_change_nothing(runtime, rest_hand):
    viewset = views(2)
    verts = torch.stack([rest_hand.verts + 0.01 * k for k in range(2)])
    texture, light = smooth_texture(3, frames=2), lamps()
    results = []
    for gib in (4.0, 0.003):
        renderer = make([rest_hand.topology], viewset, spp=64, depth=3, memory_gib=gib, edge_samples_per_px=64.0)
        leaves = [x.clone().requires_grad_() for x in (verts, texture, light)]
        image = renderer.render([HandSurface(leaves[0], leaves[1])], leaves[2], seed=7)
        torch.autograd.backward(image.rgb.square().sum() + image.coverage.sum())
        results.append((len(renderer._tracers), image.rgb.detach(), [x.grad for x in leaves]))
    (one, whole, whole_grads), (several, parts, part_grads) = results
    assert one == 1
    assert several > 1
    # The same random numbers; only roundings differ, since the frames stand elsewhere in the scene.
    assert (whole - parts).abs().quantile(0.99) < 1e-3
    assert (whole - parts).abs().mean() < 1e-4
    for a, b in zip(whole_grads, part_grads, strict=True):
        cosine = torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0)
        assert cosine > 0.97, cosine
        assert a.norm() == pytest.approx(b.norm().item(), rel=0.05)


def test_frames_do_not_see_each_other(runtime, rest_hand):
    """Frames 1 and 2 in the same place: alone, the image of frame 1 is the same."""
    verts = rest_hand.verts.expand(9, -1, -1)
    viewset = views(9)
    image = make([rest_hand.topology], viewset, spp=64, depth=3).render(
        [HandSurface(verts, smooth_texture(1))], low_order_light(), seed=0
    )
    images = viewset.split(image.rgb)
    reference = [torch.stack([images[3 * f + k] for f in range(9)]) for k in range(3)]
    for stack in reference:
        noise = stack.std(0).mean()
        assert (stack.mean((1, 2, 3)) - stack.mean()).abs().max() < 3 * noise
        assert noise < 0.02


def test_where_nothing_occludes_a_low_order_light_there_is_no_noise(runtime):
    """A convex body: every sample's value is exact, up to the bilinear map's deviation from the harmonics."""
    from render_scenes import sphere

    verts, topology = sphere(0.1)
    light = low_order_light(64)
    renderer = make([topology], views(), spp=4, depth=2)
    grey = torch.full((1, 4, 4, 3), 0.5)
    a, b = (renderer.render([HandSurface(verts[None], grey)], light, seed=s) for s in (0, 1))
    inside = (a.coverage[:, 0] == 1) & (b.coverage[:, 0] == 1)
    assert inside.sum() > 300
    noise = (a.rgb - b.rgb)[inside].std() / 2**0.5
    assert (
        noise < 0.02 * a.rgb[inside].mean()
    )  # 0.5 and more without the control variate, subpixel shading included


def test_hands_occlude_and_shade_each_other(runtime, rest_hand):
    topology, verts = rest_hand.topology, rest_hand.verts
    camera = look_at_camera((0.0, -0.6, 0.0), (40, 40), (80.0, 80.0))
    viewset = ViewSet((View(0, camera),))
    near, far = verts + torch.tensor([0.0, -0.04, 0.03]), verts + torch.tensor([0.0, 0.04, -0.03])
    renderer = make([topology, topology], viewset, spp=64, depth=2)
    hands = [HandSurface(near[None], smooth_texture(1)), HandSurface(far[None], smooth_texture(2, size=12))]
    both = renderer.render(hands, low_order_light(), seed=0)
    alone = make([topology], viewset, spp=64, depth=2)
    first, second = (alone.render([hand], low_order_light(), seed=0) for hand in hands)
    assert (both.coverage[:, 0] - first.coverage[:, 0]).abs().max() < 0.1
    assert both.coverage[:, 1].sum() < 0.8 * second.coverage.sum()  # partly hidden behind the first
    assert (both.coverage.sum(-1) <= 1 + 1e-5).all()
    seen = (both.coverage[:, 1] == 1) & (second.coverage[:, 0] == 1)
    assert seen.sum() > 10
    assert both.rgb[seen].mean() < 0.97 * second.rgb[seen].mean()  # the hand before it takes light away


def test_same_seed_same_image_and_other_seed_another(runtime, rest_hand):
    renderer = make([rest_hand.topology], views(), spp=4, depth=3)
    hands = [HandSurface(rest_hand.verts[None], smooth_texture(1))]
    a, b, c = (renderer.render(hands, lamps(), seed=s).rgb for s in (5, 5, 6))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_nothing_is_compiled_after_the_first_iteration_and_memory_stays(runtime, rest_hand):
    """100 iterations with moving vertices, hence a changing number of silhouette samples."""
    import drjit as dr

    renderer = make([rest_hand.topology], views(1, 16), spp=2, depth=3)
    texture, light = smooth_texture(1).requires_grad_(), lamps().requires_grad_()

    def iterate(step: int) -> None:
        verts = (rest_hand.verts * (1 + 0.0005 * step))[None].clone().requires_grad_()
        renderer.render([HandSurface(verts, texture)], light, seed=step).rgb.square().sum().backward()

    for step in range(3):
        iterate(step)
    gc.collect()
    start = resident_mib()
    for step in range(3, 103):
        iterate(step)
    assert resident_mib() - start < 10
    with dr.scoped_set_flag(dr.JitFlag.KernelHistory, True):
        dr.kernel_history_clear()
        for step in (150, 200, 250):  # the history keeps every kernel's text, so it is short
            iterate(step)
        history = dr.kernel_history([dr.KernelType.JIT])
    assert len(history) >= 3 * 3
    assert not [kernel for kernel in history if not kernel["cache_hit"]]


def test_hands_that_stand_still_keep_their_tree(runtime, rest_hand, monkeypatch):
    renderer = make([rest_hand.topology], views(1, 16), spp=1, depth=2)
    parameters, builds = renderer._tracers[0].geometry._parameters, []
    update = parameters.update
    monkeypatch.setattr(parameters, "update", lambda: builds.append(update()))
    for aside, expected in ((0.0, 1), (0.0, 1), (0.01, 2), (0.0, 3)):
        verts = (rest_hand.verts + aside * rest_hand.verts.abs())[None].clone()
        image = renderer.render([HandSurface(verts, smooth_texture(len(builds)))], lamps(), seed=0)
        assert len(builds) == expected
        alone = make([rest_hand.topology], views(1, 16), spp=1, depth=2)
        again = alone.render([HandSurface(verts, smooth_texture(max(0, expected - 1)))], lamps(), seed=0)
        assert torch.equal(image.coverage, again.coverage)


def test_wrong_shapes_are_refused(runtime, rest_hand):
    renderer = make([rest_hand.topology], views(2), spp=1)
    one = HandSurface(rest_hand.verts[None], smooth_texture(1))
    two = HandSurface(rest_hand.verts.expand(2, -1, -1), smooth_texture(1))
    with pytest.raises(ValueError, match="frames"):
        renderer.render([one], lamps(), seed=0)
    with pytest.raises(ValueError, match="topologies"):
        renderer.render([two, two], lamps(), seed=0)
    with pytest.raises(ValueError, match="vertices"):
        renderer.render([dataclasses.replace(two, verts_world=two.verts_world[:, 1:])], lamps(), seed=0)


def test_light_that_a_image_does_not_show_has_no_gradient(runtime, rest_hand):
    renderer = make([rest_hand.topology], views(1, 16), spp=2, shading="albedo")
    light = lamps().requires_grad_()
    image = renderer.render([HandSurface(rest_hand.verts[None], smooth_texture(1))], light, seed=0)
    (gradient,) = torch.autograd.grad(image.rgb.sum(), light)
    assert not gradient.any()

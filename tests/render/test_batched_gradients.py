"""Gradients of the batched renderer against finite differences of itself and against the reference."""

import pytest
import torch
from render_scenes import look_at_camera, planar_uv
from test_batched import lamps, low_order_light, make, smooth_texture, views

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, RenderConfig
from handrefine.views import View, ViewSet


def smooth_weights(viewset: ViewSet, channels: int) -> torch.Tensor:
    """A loss's weights that vary slowly over the image, so that finite differences of 0.2 px are fair."""
    images = []
    for index, view in enumerate(viewset.views):
        y = torch.linspace(0, 2, view.camera.height)[:, None, None]
        x = torch.linspace(0, 2, view.camera.width)[None, :, None]
        images.append(torch.sin(x + index + torch.arange(channels)) * torch.cos(1.3 * y - index) + 0.4)
    return viewset.flatten(images)


def directions(verts: torch.Tensor, topology: MeshTopology) -> dict[str, torch.Tensor]:
    x = verts / 0.1
    wave = torch.stack([torch.sin(4 * x[:, 1]), torch.cos(3 * x[:, 0]), torch.sin(4 * x[:, 2] + x[:, 1])], -1)
    shift = torch.tensor([1.0, -0.3, 0.5]).expand_as(verts)
    return {"shift": shift, "inflate": vertex_normals(verts, topology), "wave": wave}


def check(slope, gradients: list[torch.Tensor], relative: float) -> None:
    """Both sides with their standard errors; `relative` is what finite differences themselves are off."""
    values = torch.stack(gradients)
    mean, error = values.mean(), values.std() / len(values) ** 0.5
    assert (mean - slope[0]).abs() < 4 * (error**2 + slope[1] ** 2).sqrt() + relative * slope[0].abs(), (
        mean,
        slope,
    )


def finite_difference(
    loss, x: torch.Tensor, direction: torch.Tensor, step: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard error over seeds of the slope along a direction; both ends share random numbers."""
    with torch.no_grad():
        slopes = [
            (loss(x + step * direction, s) - loss(x - step * direction, s)) / (2 * step) for s in range(11, 15)
        ]
    values = torch.stack(slopes)
    return values.mean(), values.std() / len(values) ** 0.5


def check_motion(hand, viewset: ViewSet, texture: torch.Tensor, spp: int) -> None:
    """Gradients by the vertices, within 2 % of finite differences (with `spp`) and 4 standard errors."""
    topology, verts = hand.topology, hand.verts
    weights = smooth_weights(viewset, 4)
    fine = make([topology], viewset, shading="albedo", spp=spp)
    coarse = make([topology], viewset, shading="albedo", spp=64, edge_samples_per_px=64.0)

    def loss(renderer, x, seed):
        image = renderer.render([HandSurface(x[None], texture)], lamps(), seed=seed)
        return (torch.cat([image.rgb, image.coverage], -1) * weights).sum()

    gradients = []
    for seed in range(4):
        x = verts.clone().requires_grad_()
        loss(coarse, x, seed).backward()
        gradients.append(x.grad)
    for direction in directions(verts, topology).values():
        slope = finite_difference(lambda x, s: loss(fine, x, s), verts, direction, 5e-4)
        check(slope, [(g * direction).sum() for g in gradients], 0.02)


@pytest.mark.parametrize("case", ["whole", "border", "jumping texture"])
def test_motion_of_vertices_in_albedo_and_coverage(runtime, rest_hand, case):
    """Fingers before fingers, the open wrist, image borders (the hand fills more than the image), seams where the
    texture jumps. No light, hence no shadow edges: the gradient has no term left out."""
    viewset = views(1, 40)
    if case == "border":
        viewset = ViewSet((View(0, look_at_camera((0.3, -0.3, 0.1), (40, 32), (150.0, 140.0))),))
    texture = (
        torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(1))
        if "jump" in case
        else smooth_texture(1)
    )
    check_motion(rest_hand, viewset, texture, spp=1024)


def test_light_and_texture(runtime, rest_hand):
    """The image is linear in the light and, at depth 2, in the texture: differences have no error but noise."""
    viewset = views(1, 32)
    weights = smooth_weights(viewset, 3)
    renderer = make([rest_hand.topology], viewset, spp=256, depth=2)
    generator = torch.Generator().manual_seed(2)
    inputs = {"texture": smooth_texture(1), "light": lamps()}

    def loss(name, x, seed):
        values = {**inputs, name: x}
        hand = HandSurface(rest_hand.verts[None], values["texture"])
        return (renderer.render([hand], values["light"], seed=seed).rgb * weights).sum()

    for name, value in inputs.items():
        direction = torch.rand(value.shape, generator=generator)
        gradients = []
        for seed in range(3):
            x = value.clone().requires_grad_()
            loss(name, x, seed).backward()
            gradients.append((x.grad * direction).sum())
        slope = finite_difference(lambda x, s, name=name: loss(name, x, s), value, direction, 0.05)
        check(slope, gradients, 0.002)


def test_inter_reflection_reaches_the_texture(runtime, rest_hand):
    viewset = views(1, 24)
    weights = smooth_weights(viewset, 3)
    renderer = make([rest_hand.topology], viewset, spp=512, depth=4)
    texture = smooth_texture(1)

    def loss(x, seed):
        return (renderer.render([HandSurface(rest_hand.verts[None], x)], lamps(), seed=seed).rgb * weights).sum()

    gradients = []
    for seed in range(3):
        x = texture.clone().requires_grad_()
        loss(x, seed).backward()
        gradients.append((x.grad * texture).sum())
    check(finite_difference(loss, texture, texture, 0.05), gradients, 0.005)


def test_shading_under_light_and_the_size_of_the_shadow_term(runtime, rest_hand):
    """Vertices under a smooth light, shadows included. What is left out, the motion of shadow edges, biases these
    directional derivatives by up to a few per cent of the scale of the gradient; this holds it below 10 %."""
    viewset = views(1, 32)
    weights = smooth_weights(viewset, 3)
    verts, light = rest_hand.verts, low_order_light()
    fine = make([rest_hand.topology], viewset, spp=1024, depth=2)
    coarse = make([rest_hand.topology], viewset, spp=256, depth=2, edge_samples_per_px=64.0)

    def loss(renderer, x, seed):
        return (renderer.render([HandSurface(x[None], smooth_texture(1))], light, seed=seed).rgb * weights).sum()

    gradients = []
    for seed in range(4):
        x = verts.clone().requires_grad_()
        loss(coarse, x, seed).backward()
        gradients.append(x.grad)
    several = directions(verts, rest_hand.topology)
    slopes = {k: finite_difference(lambda x, s: loss(fine, x, s), verts, d, 5e-4) for k, d in several.items()}
    scale = max(slope[0].abs() for slope in slopes.values())
    for name, direction in several.items():
        values = torch.stack([(g * direction).sum() for g in gradients])
        bias = (values.mean() - slopes[name][0]).abs()
        noise = 4 * (values.var() / len(values) + slopes[name][1] ** 2).sqrt()
        assert bias < 0.1 * scale + noise, (name, values.mean(), slopes[name], scale)


def test_no_direction_outweighs_all_others(runtime):
    """Weights are the cosine's on average, and one's change with the normal is bounded by twice the inverse of the
    share of evenly drawn directions: were all drawn by the cosine, one in a million would change by a thousand."""
    import drjit as dr
    import mitsuba as mi

    from handrefine.render.mitsuba.batched.radiance import EVEN, scatter
    from handrefine.render.mitsuba.batched.samples import IndependentSamples
    from handrefine.render.mitsuba.batched.surfaces import Surface

    count, true_n = 1 << 20, torch.tensor([0.6, 0.0, 0.8])
    n = mi.Vector3f(*(dr.full(mi.Float, x, count) for x in true_n.tolist()))
    dr.enable_grad(n)
    up = mi.Vector3f(*true_n.tolist())
    surface = Surface(mi.Point3f(0), n, up, mi.Vector3f(0), mi.Color3f(1), mi.Point3f(0))
    d, weight = scatter(surface, IndependentSamples(dr.arange(mi.UInt32, count), mi.UInt32(3)))
    dr.backward(weight)
    change = torch.stack([x.torch() for x in dr.grad(n)]).norm(dim=0)
    assert change.max() < 2 / EVEN * 1.001

    weights = dr.detach(weight).torch()
    directions = torch.stack([dr.detach(x).torch() for x in d])
    # Of the cosine's distribution: its mass, and its mean direction.
    for values, expected in ((weights[None], torch.ones(1)), (weights * directions, 2 / 3 * true_n)):
        error = values.std(dim=1) / count**0.5
        assert torch.all((values.mean(dim=1) - expected).abs() < 4 * error), (values.mean(dim=1), expected, error)


def test_gradients_agree_with_the_reference(runtime, rest_hand):
    """Per vertex, not along a few directions: averaged over seeds, both point the same way.

    The texture runs on across seams, since the reference leaves out what a jump there adds.
    """
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    viewset, topology = views(1, 24), planar_uv(rest_hand.topology, rest_hand.verts)
    weights = smooth_weights(viewset, 4)

    def gradient(renderer, seed):
        x = rest_hand.verts.clone().requires_grad_()
        image = renderer.render([HandSurface(x[None], smooth_texture(1))], low_order_light(), seed=seed)
        (torch.cat([image.rgb, image.coverage], -1) * weights).sum().backward()
        return x.grad

    fast = make([topology], viewset, spp=64, depth=2, edge_samples_per_px=64.0)
    slow = ReferenceRenderer([topology], viewset, RenderConfig(spp=256, depth=2))
    ours = sum(gradient(fast, s) for s in range(6)) / 6
    theirs = sum(gradient(slow, s) for s in range(3)) / 3
    cosine = torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)
    assert cosine > 0.9, cosine
    for direction in directions(rest_hand.verts, rest_hand.topology).values():
        a, b = (ours * direction).sum(), (theirs * direction).sum()
        assert (a - b).abs() < 0.05 * max(abs(a), abs(b)) + 0.02 * ours.abs().sum() * direction.abs().mean(), (
            a,
            b,
        )


def test_image_and_gradient_draw_different_numbers(runtime, rest_hand):
    """Over seeds, the light's gradient along the light and the image's own value are independent."""
    viewset = ViewSet((View(0, look_at_camera((0.0, -0.6, 0.1), (12, 12), (26.0, 26.0))),))
    renderer = make([rest_hand.topology], viewset, spp=1, depth=2)
    values, slopes = [], []
    for seed in range(60):
        light = lamps(8).requires_grad_()
        total = renderer.render(
            [HandSurface(rest_hand.verts[None], smooth_texture(1))], light, seed=seed
        ).rgb.sum()
        total.backward()
        values.append(total.detach())
        slopes.append((light.grad * light.detach()).sum())  # linear: the same number, were the samples the same
    correlation = torch.corrcoef(torch.stack([torch.stack(values), torch.stack(slopes)]))[0, 1]
    assert correlation.abs() < 0.45  # 60 independent pairs: standard error 0.13

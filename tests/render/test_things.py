"""Things beside the hands: they shade them as Mitsuba says, hide nothing, and leave gradients right."""

import numpy as np
import pytest
import torch
from render_scenes import look_at_camera, sphere, two_views

from handrefine.render.base import HandSurface, RenderConfig
from handrefine.render.thing_surfaces import ThingSurfaces, welded
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.views import View, ViewSet

pytestmark = pytest.mark.usefixtures("runtime")


def lamp(height: int = 16) -> torch.Tensor:
    """Some light from everywhere, much from above."""
    coefficients = torch.tensor([[2.0, 1.8, 1.6], [0.1, 0.1, 0.1], [1.2, 1.1, 1.0], [0.2, 0.0, -0.2]])
    light = sh_basis(latlong_directions(height, 2 * height), 1) @ coefficients
    return light.clamp(min=0) + 6 * (latlong_directions(height, 2 * height)[..., 2:] > 0.9)


def box(middle: tuple[float, float, float], half: tuple[float, float, float]) -> np.ndarray:
    """Corners of its twelve triangles."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([quad[k : k + 2] for quad in quads for k in (1, 2)])
    faces = np.concatenate([np.repeat([quad[0] for quad in quads], 2)[:, None], faces], axis=1)
    return (signs * half + middle)[faces]


def thing(corners: np.ndarray, grey: float = 0.6) -> ThingSurfaces:
    return ThingSurfaces(torch.as_tensor(corners[None]).float(), welded(corners), torch.full((3,), grey))


def batched(topologies, views, things=None, **settings):
    from handrefine.render.mitsuba.batched import BatchedRenderer

    return BatchedRenderer(topologies, views, RenderConfig(**settings), things=things)


def test_a_shadowed_hand_is_mitsubas(rest_hand):
    """Where the reference sees hand, with the box as a second hand there, ours sees the same colours.

    Limits and noise as for hands alone (`test_images_equal_the_reference_within_noise`).
    """
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    views, settings = two_views((40, 34)), RenderConfig(spp=256, depth=3)
    beside = thing(box((0.0, 0.0, 0.06), (0.05, 0.04, 0.015)))
    hand = HandSurface(rest_hand.verts[None], torch.full((1, 2, 2, 3), 0.5))
    as_hand = HandSurface(beside.beside(hand.verts_world), beside.texture(rest_hand.verts).repeat(1, 2, 2, 1))
    fast = batched([rest_hand.topology], views, beside, spp=256, depth=3)
    slow = ReferenceRenderer([rest_hand.topology, beside.soup], views, settings)
    ours = [fast.render([hand], lamp(), seed=seed) for seed in (0, 1)]
    theirs = [slow.render([hand, as_hand], lamp(), seed=seed) for seed in (0, 1)]
    shown = sum(of.coverage[:, 1] for of in theirs) == 0
    a, b = (torch.stack([of.rgb[shown] for of in both]) for both in (ours, theirs))
    difference = (a.mean(0) - b.mean(0)).norm(dim=-1)
    expected = ((a[0] - a[1]).square().sum(-1) / 4 + (b[0] - b[1]).square().sum(-1) / 4).mean().sqrt()
    kept = difference.sort().values[: int(0.98 * len(difference))]
    assert a.mean() == pytest.approx(b.mean().item(), rel=0.01)
    assert kept.square().mean().sqrt() < 1.3 * expected + 1e-3
    alone = batched([rest_hand.topology], views, spp=256, depth=3).render([hand], lamp(), seed=0)
    assert alone.rgb[shown].mean() > 1.1 * a.mean()
    # It stands in no camera's way.
    assert torch.equal(alone.coverage, ours[0].coverage)


def test_pixels_show_hands_where_things_are_before_them(rest_hand):
    """What a pixel shows first, and where the thing is at one frame only, the picture of the other one."""
    camera = look_at_camera((0.1, -0.5, 0.2), (24, 20), (45.0, 45.0))
    views = ViewSet((View(0, camera), View(1, camera)))
    corners = np.stack([box((0.0, -0.15, 0.0), (0.1, 0.02, 0.1)), np.full((12, 3, 3), np.nan)])
    beside = ThingSurfaces(torch.as_tensor(corners).float(), welded(corners[0]), torch.full((3,), 0.3))
    verts = rest_hand.verts.expand(2, -1, -1).contiguous()
    hand = HandSurface(verts, torch.full((1, 2, 2, 3), 0.5))
    shaded, alone = (batched([rest_hand.topology], views, of, spp=16) for of in (beside, None))
    hits = [renderer.first_hits([verts]) for renderer in (shaded, alone)]
    assert (hits[0].face == hits[1].face).all()
    assert (hits[0].face >= 0).sum() > 50
    torch.testing.assert_close(hits[0].barycentric, hits[1].barycentric, atol=1e-3, rtol=0)
    first, second = (views.split(of.render([hand], lamp(), seed=0).rgb) for of in (shaded, alone))
    assert first[0].mean() < 0.9 * second[0].mean()
    assert first[1].mean() == pytest.approx(second[1].mean().item(), rel=0.02)


def test_the_gradient_of_a_hand_that_moves_through_a_shadow(monkeypatch):
    """A sphere that fills the picture, below a box that keeps the light away: the slopes of the pictures, within
    3 standard errors and 2 %. Without what moves at the shadow's edges the slope across is missed."""
    from handrefine.render.mitsuba.batched.tracer import Tracer

    verts, topology = sphere(0.05, 3)
    views = ViewSet((View(0, look_at_camera((0.0, -0.5, 0.3), (32, 32), (230.0, 230.0))),))
    y, x = torch.meshgrid(torch.arange(32) / 32, torch.arange(32) / 32, indexing="ij")
    weights = views.flatten([(torch.sin(3 * x) + y)[..., None].expand(-1, -1, 3)])
    light = sh_basis(latlong_directions(32, 64), 1) @ torch.tensor([3.5, 0.4, 1.5, 0.4])[:, None].expand(-1, 3)
    beside = thing(box((0.01, -0.02, 0.09), (0.03, 0.02, 0.015)))
    settings = {"depth": 2, "shadow_samples": 50_000}
    few, many = (batched([topology], views, beside, spp=spp, **settings) for spp in (64, 256))

    def loss(renderer, at, seed):
        picture = renderer.render([HandSurface(at[None], torch.full((1, 4, 4, 3), 0.5))], light, seed=seed)
        return (picture.rgb * weights).sum()

    def by_gradient(seed):
        at = verts.clone().requires_grad_()
        loss(few, at, seed).backward()
        assert at.grad is not None
        return at.grad.sum(0)

    gradient = torch.stack([by_gradient(seed) for seed in range(4)])
    monkeypatch.setattr(Tracer, "backpropagate_shadow_edges", lambda *_: None)
    still = by_gradient(0)
    for axis in (1, 2):
        step = 1e-3 * torch.eye(3)[axis]
        with torch.no_grad():
            ends = [loss(many, verts + step, s) - loss(many, verts - step, s) for s in range(10, 13)]
        difference = torch.stack(ends) / 2e-3
        error = (gradient[:, axis].var() / len(gradient) + difference.var() / len(difference)).sqrt()
        slope, found = difference.mean(), (gradient[:, axis], difference, still[axis])
        assert (gradient[:, axis].mean() - slope).abs() < 3 * error + 0.02 * slope.abs(), found
        assert error < 0.02 * slope.abs(), found
        if axis == 1:  # along which the shadow moves over the sphere
            assert (still[axis] - slope).abs() > 0.05 * slope.abs(), found

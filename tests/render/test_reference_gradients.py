"""Gradients of the reference renderer against finite differences of its own images.

The loss is a fixed smooth weight image times the image, linear in it, so that the Monte Carlo gradient is
unbiased. Finite differences are central and use the same random numbers on both sides. Both are means over several
seeds with a standard error. A gradient passes within 5 % of the finite difference, or 3 standard errors of their
difference.

Radiance on the hand has no geometric test, for shadow edges have no gradient (see `ReferenceRenderer`): there
geometry is tested on a sphere, which casts no shadow on itself.
"""

import numpy as np
import pytest
import torch
from render_scenes import planar_uv, sphere, two_views

from handrefine.render.base import HandSurface, RenderConfig
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.views import ViewSet

pytestmark = pytest.mark.usefixtures("runtime")

VIEWS = two_views((32, 28))


def _smooth_weights(views: ViewSet, channels: int) -> torch.Tensor:
    """Slow waves over each image, one a channel, so that no gradient cancels."""
    rng = np.random.default_rng(3)
    images = []
    for view in views.views:
        y, x = np.mgrid[: view.camera.height, : view.camera.width][..., None]
        frequency, phase = rng.uniform(0.05, 0.2, (2, channels)), rng.uniform(0, 6, channels)
        images.append(torch.tensor(np.sin(x * frequency[0] + y * frequency[1] + phase), dtype=torch.float32))
    return views.flatten(images)


def _weights_along(verts: torch.Tensor, direction: torch.Tensor, channels: int) -> torch.Tensor:
    """A ramp in each image along the mean motion of the vertices, plus waves: the two edges of a finger that moves
    sideways would otherwise cancel, and leave noise and the finite step's own error."""
    ramps = []
    for view in VIEWS.views:
        start, end = view.camera.project(verts), view.camera.project(verts + 1e-3 * direction)
        motion = torch.nn.functional.normalize((end - start).mean(0), dim=0)
        y, x = torch.meshgrid(
            *(torch.arange(n) + 0.5 for n in (view.camera.height, view.camera.width)), indexing="ij"
        )
        pixels = torch.stack([x, y], dim=-1) - start.mean(0)
        ramps.append((pixels @ motion)[..., None].expand(-1, -1, channels) / 10)
    return VIEWS.flatten(ramps) + 0.3 * _smooth_weights(VIEWS, channels)


def _texture() -> torch.Tensor:
    return torch.rand(1, 6, 6, 3, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2


def _light_coefficients() -> torch.Tensor:
    # Band 0 outweighs band 1: radiance must not be negative.
    return torch.tensor([[4.0, 3.8, 3.5], [0.5, 0.4, 0.3], [0.9, 0.8, 0.9], [-0.4, 0.2, 0.3]])


def _environment(coefficients: torch.Tensor) -> torch.Tensor:
    return sh_basis(latlong_directions(8, 16), order=1) @ coefficients


def _mean(values: list[torch.Tensor]) -> tuple[float, float]:
    stacked = torch.stack(values).double()
    return stacked.mean().item(), (stacked.std() / len(values) ** 0.5).item()


def _check(loss, variable, direction, step, spp=(64, 1024), seeds=(4, 4)):
    """Compare d loss(variable + s direction) / d s at 0, by backpropagation and by differences of width 2 step.

    loss: (variable, seed, samples a pixel) -> scalar. spp, seeds: for the gradient and for the differences.
    """
    slopes, differences = [], []
    for seed in range(seeds[0]):
        leaf = variable.clone().requires_grad_()
        loss(leaf, seed, spp[0]).backward()
        assert leaf.grad.isfinite().all()
        slopes.append((leaf.grad * direction).sum())
    with torch.no_grad():
        for seed in range(100, 100 + seeds[1]):
            ends = [loss(variable + side * step * direction, seed, spp[1]) for side in (1, -1)]
            differences.append((ends[0] - ends[1]) / (2 * step))
    (slope, slope_error), (difference, difference_error) = _mean(slopes), _mean(differences)
    tolerance = max(0.05 * abs(difference), 3 * np.hypot(slope_error, difference_error))
    assert abs(slope - difference) <= tolerance, (
        f"gradient {slope:.4g} +- {slope_error:.2g}, finite difference {difference:.4g} +- {difference_error:.2g}"
    )
    # Noise must not be what makes the test pass.
    assert tolerance < 0.2 * abs(difference), f"the test is blind: {difference:.4g}, tolerance {tolerance:.2g}"


@pytest.fixture(scope="module")
def render():
    """(topology, shading) -> a function of samples a pixel that gives the renderer, each built once."""
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    made = {}

    def get(topology, shading, spp):
        key = (id(topology), shading, spp)
        if key not in made:
            made[key] = ReferenceRenderer([topology], VIEWS, RenderConfig(shading=shading, spp=spp))
        return made[key].render

    return get


def _vertex_directions(rest_hand) -> dict[str, torch.Tensor]:
    """Motions of about a unit of metres: along an axis, about the index finger's root joint, along a shape."""
    verts, index_root = rest_hand.verts, 1
    finger = rest_hand.weights[:, index_root : index_root + 3].sum(1, keepdim=True)
    axis = torch.tensor([0.3, 0.9, 0.3]).expand_as(verts)
    bend = torch.linalg.cross(axis, verts - rest_hand.joints[index_root]) * finger
    return {
        "translation x": torch.tensor([1.0, 0, 0]).expand_as(verts),
        "translation z": torch.tensor([0, 0, 1.0]).expand_as(verts),
        "joint angle": bend / bend.norm(dim=-1).max(),
        "shape": rest_hand.shape_directions[:, :, 0] / rest_hand.shape_directions[:, :, 0].norm(dim=-1).max(),
    }


@pytest.mark.parametrize(
    ("what", "image"),
    [
        ("translation x", "coverage"),
        ("translation z", "rgb"),
        ("joint angle", "coverage"),
        ("joint angle", "rgb"),
        ("shape", "rgb"),
    ],
)
def test_hand_geometry_moves_albedo_and_coverage(rest_hand, render, planar_hand, what, image):
    direction = _vertex_directions(rest_hand)[what]
    weights = _weights_along(rest_hand.verts, direction, 3 if image == "rgb" else 1)

    def loss(verts, seed, spp):
        out = render(planar_hand, "albedo", spp)([HandSurface(verts[None], _texture())], _no_light(), seed=seed)
        return (getattr(out, image) * weights).sum()

    few_pixels = what == "joint angle"
    _check(loss, rest_hand.verts, direction, step=1e-3 if few_pixels else 5e-4, seeds=(6, 16 if few_pixels else 4))


@pytest.fixture(scope="module")
def planar_hand(rest_hand):
    return planar_uv(rest_hand.topology, rest_hand.verts)


@pytest.fixture(scope="module")
def ball():
    return sphere(radius_m=0.07)


def _no_light() -> torch.Tensor:
    return torch.zeros(4, 8, 3)


@pytest.mark.parametrize(
    "what", ["translation x", "stretch", pytest.param("translation z", marks=pytest.mark.slow)]
)
def test_geometry_moves_radiance(render, ball, what):
    """Shading normals, the light that they see, and silhouettes: on a surface without shadows, cut by a seam."""
    verts, topology = ball
    direction = {
        "translation x": torch.tensor([1.0, 0, 0]).expand_as(verts),
        "translation z": torch.tensor([0, 0, 1.0]).expand_as(verts),
        "stretch": verts * torch.tensor([0.0, 0.0, 1 / 0.07]),
    }[what]
    weights = _weights_along(verts, direction, 3)

    def loss(x, seed, spp):
        surface = HandSurface(x[None], _texture())
        out = render(topology, "radiance", spp)([surface], _environment(_light_coefficients()), seed=seed)
        return (out.rgb * weights).sum()

    _check(loss, verts, direction, step=1.5e-3 if what == "stretch" else 5e-4, spp=(64, 1024), seeds=(4, 4))


def test_a_texel_and_a_light_coefficient_move_radiance(rest_hand, render, planar_hand):
    """With shadows and one inter-reflection, on the hand."""
    weights = _smooth_weights(VIEWS, 3)
    texture, light = _texture(), _light_coefficients()

    def image(texture, light, seed, spp):
        surface = HandSurface(rest_hand.verts[None], texture)
        out = render(planar_hand, "radiance", spp)([surface], _environment(light), seed=seed)
        return (out.rgb * weights).sum()

    texel, coefficient = torch.zeros_like(texture), torch.zeros_like(light)
    texel[0, 3, 2, 1] = 1
    coefficient[2, 1] = 1
    _check(lambda x, s, n: image(x, light, s, n), texture, texel, step=0.1, spp=(64, 256), seeds=(4, 4))
    _check(lambda x, s, n: image(texture, x, s, n), light, coefficient, step=0.2, spp=(64, 256), seeds=(4, 4))


def test_two_images_may_be_differentiated_together(rest_hand, render, planar_hand):
    """The scene holds one geometry at a time; a gradient must still be taken at the image's own."""
    weights = _smooth_weights(VIEWS, 1)
    draw = render(planar_hand, "albedo", 16)
    starts = [rest_hand.verts, rest_hand.verts + torch.tensor([0.02, 0.0, 0.01])]

    def loss(verts):
        out = draw([HandSurface(verts[None], _texture())], _no_light(), seed=0)
        return (out.coverage * weights).sum()

    together = [start.clone().requires_grad_() for start in starts]
    sum(loss(verts) for verts in together).backward()
    for start, verts in zip(starts, together, strict=True):
        alone = start.clone().requires_grad_()
        loss(alone).backward()
        difference = (alone.grad - verts.grad).norm() / alone.grad.norm()
        assert difference < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("image", ["rgb", "coverage"])
def test_translations_precisely(rest_hand, render, planar_hand, axis, image):
    """As above with 16 times the samples, so that 5 % decides rather than noise."""
    direction = torch.eye(3)[axis].expand_as(rest_hand.verts)
    weights = _weights_along(rest_hand.verts, direction, 3 if image == "rgb" else 1)

    def loss(verts, seed, spp):
        out = render(planar_hand, "albedo", spp)([HandSurface(verts[None], _texture())], _no_light(), seed=seed)
        return (getattr(out, image) * weights).sum()

    _check(loss, rest_hand.verts, direction, step=5e-4, spp=(512, 4096), seeds=(8, 8))

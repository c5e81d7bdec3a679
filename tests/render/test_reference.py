"""What the reference renderer draws: the right pixel, texel and light, and the image of stock Mitsuba."""

import math

import numpy as np
import pytest
import torch
from render_scenes import look_at_camera, sphere, two_views

from handrefine.mesh import MeshTopology
from handrefine.render.base import HandSurface, RenderConfig
from handrefine.spherical import latlong_directions
from handrefine.views import View, ViewSet

pytestmark = pytest.mark.usefixtures("runtime")


def _renderer(topologies, views, **settings):
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    return ReferenceRenderer(topologies, views, RenderConfig(**settings))


def _grey(value: float = 0.5) -> torch.Tensor:
    return torch.full((1, 2, 2, 3), value)


def _dark() -> torch.Tensor:
    return torch.zeros(4, 8, 3)


def _coverage_of_triangle(corners_px: torch.Tensor, height: int, width: int, per_side: int = 48) -> torch.Tensor:
    """Share of every pixel inside a triangle, by counting points on a regular grid."""
    y, x = ((torch.arange(n * per_side) + 0.5) / per_side for n in (height, width))
    inside = []
    for a, b in zip(corners_px, corners_px.roll(-1, dims=0), strict=True):
        inside.append((b[0] - a[0]) * (y[:, None] - a[1]) - (b[1] - a[1]) * (x - a[0]) > 0)
    points = torch.stack(inside).all(0) | ~torch.stack(inside).any(0)
    return points.reshape(height, per_side, width, per_side).float().mean((1, 3))


def test_pixels_agree_with_the_camera_model():
    """A triangle covers the pixels that `Camera.project` says: its centroid to 0.02 px, every pixel to 0.04.

    fx != fy and the principal point is off the centre, in the whole image, a window that leaves it, and a resized
    image. 4096 samples a pixel have a standard error of 0.008 at most; the counted truth is good to 0.01.
    """
    verts = torch.tensor([[-0.03, 0.02, -0.05], [0.07, 0.0, -0.02], [0.0, -0.03, 0.06]])
    topology = MeshTopology(3, np.array([[0, 1, 2]]), np.zeros((1, 2)), np.zeros((1, 3), int))
    camera = look_at_camera((0.1, -0.5, 0.15), (37, 22), (75.0, 58.0))
    views = ViewSet((View(0, camera), View(0, camera.cropped(12, -3, 20, 25)), View(0, camera.resized(74, 33))))
    renderer = _renderer([topology], views, shading="albedo", spp=4096)
    coverage = renderer.render([HandSurface(verts[None], _grey())], _dark(), seed=0).coverage
    for view, image in zip(views.views, views.split(coverage[:, 0]), strict=True):
        expected = _coverage_of_triangle(view.camera.project(verts), *image.shape)
        assert (image - expected).abs().max() < 0.04
        y, x = torch.meshgrid(*(torch.arange(n) + 0.5 for n in image.shape), indexing="ij")
        for along in (x, y):
            centroids = [(cover * along).sum() / cover.sum() for cover in (image, expected)]
            assert abs(centroids[0] - centroids[1]) < 0.02


def _quad() -> tuple[torch.Tensor, MeshTopology]:
    """A 0.2 m square in the plane y = 0: u runs along x, v along z."""
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    verts = torch.tensor(np.insert(uv * 0.2 - 0.1, 1, 0, axis=1), dtype=torch.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return verts, MeshTopology(4, faces, uv, faces)


@pytest.mark.parametrize("eye_y", [-0.5, 0.5], ids=["front", "back"])
def test_each_quadrant_of_the_texture_lands_where_its_coordinates_say(eye_y):
    """Row 0 of the texture is v = 1; both sides of the surface show it."""
    verts, topology = _quad()
    red, green, blue, white = torch.eye(3)[0], torch.eye(3)[1], torch.eye(3)[2], torch.ones(3)
    texture = torch.stack([torch.stack([red, green]), torch.stack([blue, white])])
    texture = texture.repeat_interleave(8, 0).repeat_interleave(8, 1)
    views = ViewSet((View(0, look_at_camera((0.0, eye_y, 0.0), (32, 32), (70.0, 70.0))),))
    renderer = _renderer([topology], views, shading="albedo", spp=16)
    image = views.split(renderer.render([HandSurface(verts[None], texture[None])], _dark(), seed=0).rgb)[0]
    places = {"red": (-1, 1), "green": (1, 1), "blue": (-1, -1), "white": (1, -1)}
    colours = {"red": red, "green": green, "blue": blue, "white": white}
    for name, (x, z) in places.items():
        u, v = views.views[0].camera.project(torch.tensor([0.05 * x, 0.0, 0.05 * z])).tolist()
        torch.testing.assert_close(image[int(v), int(u)], colours[name], atol=1e-4, rtol=0)


def test_the_environment_map_is_the_function_that_our_layout_says():
    """Texel centres, and the middle between neighbouring rows and columns, against bilinear interpolation."""
    import drjit as dr
    import mitsuba as mi

    from handrefine.render.mitsuba.envmap import envmap_from_latlong

    height, width = 6, 9
    environment = torch.rand(height, width, 3, generator=torch.Generator().manual_seed(0))
    scene = mi.load_dict({"type": "scene", "light": {"type": "envmap", "bitmap": mi.Bitmap(np.ones((3, 2, 3)))}})
    parameters = mi.traverse(scene)
    parameters["light.data"] = mi.TensorXf(envmap_from_latlong(environment))
    parameters.update()

    def look(directions: torch.Tensor) -> torch.Tensor:
        si = dr.zeros(mi.SurfaceInteraction3f, directions[..., 0].numel())
        si.wi = -mi.Vector3f(directions.reshape(-1, 3).T.contiguous().numpy())
        return torch.tensor(np.array(scene.environment().eval(si)).T).reshape(directions.shape)

    centres = latlong_directions(height, width)
    torch.testing.assert_close(look(centres), environment, atol=2e-5, rtol=0)
    theta = (torch.arange(height - 1) + 1.0)[:, None] * math.pi / height
    phi = (torch.arange(width) + 1.0) * 2 * math.pi / width
    corners = torch.stack(
        [theta.sin() * phi.sin(), theta.cos().expand(-1, width), -theta.sin() * phi.cos()], dim=-1
    )
    rows = (environment[1:] + environment[:-1]) / 2
    torch.testing.assert_close(look(corners), (rows + rows.roll(-1, dims=1)) / 2, atol=2e-5, rtol=0)


def test_a_sphere_under_uniform_light_returns_its_albedo():
    """A convex surface in a white furnace: radiance = albedo x light.

    More than 300 inner pixels x 64 samples: the mean is known to about 0.1 %.
    """
    verts, topology = sphere(radius_m=0.08)
    views = two_views()
    out = _renderer([topology], views, spp=64).render(
        [HandSurface(verts[None], _grey(0.6))], torch.full((8, 16, 3), 2.0), seed=0
    )
    inside = out.coverage[:, 0] == 1
    assert inside.sum() > 300
    assert out.rgb[inside].mean().item() == pytest.approx(1.2, rel=5e-3)
    assert (out.rgb[out.coverage[:, 0] == 0] == 0).all()


def test_the_image_is_stock_mitsubas(rest_hand):
    """Against C++ `path` with a stock `perspective` camera and stock envmap, both at high sample counts.

    The difference of two independent images divided by its standard deviation, estimated from a third,
    has mean square 1; fewer than 1 % of the pixels are beyond 4 standard deviations.
    """
    import mitsuba as mi

    from handrefine.render.mitsuba.envmap import envmap_from_latlong
    from handrefine.render.mitsuba.sensor import world_from_mitsuba_camera

    camera = look_at_camera((0.1, -0.45, 0.2), (40, 32), (80.0, 80.0))
    views = ViewSet((View(0, camera),))
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(1, 6, 6, 3, generator=generator)
    environment = torch.rand(8, 16, 3, generator=generator) * 2
    renderer = _renderer([rest_hand.topology], views, spp=512, depth=3)
    hand = HandSurface(rest_hand.verts[None], texture)
    first, second = (renderer.render([hand], environment, seed=seed).rgb for seed in (1, 2))

    bitmap = mi.Bitmap(envmap_from_latlong(environment)[:, 1:-1].contiguous().numpy())
    stock = mi.load_dict(
        {
            "type": "scene",
            "hand": renderer._loop.scene.meshes[0],
            "light": {"type": "envmap", "bitmap": bitmap},
            "camera": {
                "type": "perspective",
                "fov_axis": "x",
                "fov": 2 * math.degrees(math.atan(camera.width / 2 / camera.fx)),
                "principal_point_offset_x": -(camera.cx - camera.width / 2) / camera.width,
                "principal_point_offset_y": -(camera.cy - camera.height / 2) / camera.height,
                "to_world": mi.ScalarAffineTransform4f(world_from_mitsuba_camera(camera)),
                "film": {"type": "hdrfilm", "width": 40, "height": 32, "rfilter": {"type": "box"}},
            },
            "integrator": {"type": "path", "max_depth": 3, "hide_emitters": True},
        }
    )
    expected = torch.tensor(np.array(mi.render(stock, spp=512, seed=77))).reshape(-1, 3)
    shaded = first.sum(-1) > 0.05
    noise = (first - second)[shaded].square().mean().sqrt()
    difference = (first - expected)[shaded]
    assert difference.square().mean().sqrt() == pytest.approx(noise.item(), rel=0.15)
    assert abs(difference.mean()) < 4 * noise / math.sqrt(difference.numel())
    assert (difference.abs() > 5 * noise).float().mean() < 0.01


def test_coverage_goes_to_the_nearest_hand_and_the_rest_is_black():
    verts, topology = _quad()
    behind = HandSurface(verts[None] + torch.tensor([0.02, 0.1, 0.0]), _grey(0.2))
    front = HandSurface(verts[None] * 0.6, _grey(0.8))
    views = ViewSet((View(0, look_at_camera((0.05, -0.6, 0.03), (40, 40), (90.0, 90.0))),))
    renderer = _renderer([topology, topology], views, shading="albedo", spp=64)
    out = renderer.render([behind, front], _dark(), seed=0)
    assert (out.coverage.sum(-1) <= 1 + 1e-5).all()
    at_front = views.views[0].camera.project(torch.zeros(3)).long().tolist()
    pixel = at_front[1] * 40 + at_front[0]
    assert out.coverage[pixel].tolist() == [0, 1]
    composed = out.coverage @ torch.tensor([0.2, 0.8])
    expected = composed[:, None].expand(-1, 3)
    torch.testing.assert_close(out.rgb, expected, atol=0.05, rtol=0)  # edge pixels: two sets of 64 samples
    empty, full = out.coverage.sum(-1) == 0, (out.coverage == 1).any(-1)
    assert empty.any()
    assert (out.rgb[empty] == 0).all()
    torch.testing.assert_close(out.rgb[full], expected[full], atol=1e-4, rtol=0)


def test_every_frame_has_its_own_geometry_and_texture():
    verts, topology = _quad()
    camera = look_at_camera((0.0, -0.6, 0.0), (16, 16), (30.0, 30.0))
    views = ViewSet(tuple(View(frame, camera) for frame in (1, 0)))
    moved = torch.stack([verts, verts + torch.tensor([0.0, 0.0, 5.0])])
    textures = torch.cat([_grey(0.25), _grey(0.75)])
    renderer = _renderer([topology], views, shading="albedo", spp=4)
    gone, seen = views.split(renderer.render([HandSurface(moved, textures)], _dark(), seed=0).rgb)
    assert gone.sum() == 0
    assert seen[8, 8].tolist() == pytest.approx([0.25] * 3, abs=1e-5)


def test_a_seed_repeats_the_image_and_another_gives_another():
    verts, topology = sphere(radius_m=0.08, subdivisions=2)
    renderer = _renderer([topology], two_views((16, 12)), spp=4)
    environment = torch.rand(4, 8, 3, generator=torch.Generator().manual_seed(0))
    surface = [HandSurface(verts[None], _grey())]
    a, b, c = (renderer.render(surface, environment, seed=seed).rgb for seed in (5, 5, 6))
    # Threads sum in any order, and a sample on the edge between two choices may then take the other.
    assert ((a - b).abs() > 1e-5).float().mean() < 0.01
    assert (a - c).abs().max() > 1e-2


def test_surfaces_that_do_not_fit_are_refused():
    verts, topology = _quad()
    views = ViewSet((View(1, look_at_camera((0.0, -0.6, 0.0), (8, 8), (10.0, 10.0))),))
    renderer = _renderer([topology], views, shading="albedo")
    with pytest.raises(ValueError, match="2 frames"):
        renderer.render([HandSurface(verts[None], _grey())], _dark(), seed=0)
    with pytest.raises(ValueError, match="4 vertices"):
        renderer.render([HandSurface(verts[None, :3].expand(2, -1, -1), _grey())], _dark(), seed=0)
    with pytest.raises(ValueError, match="1 topologies but 2"):
        renderer.render([HandSurface(verts.expand(2, -1, -1), _grey())] * 2, _dark(), seed=0)

"""Cameras with lenses in the batched renderer: pixels against OpenCV's, gradients against finite differences."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from render_scenes import look_at_camera
from test_batched import lamps, low_order_light, make, smooth_texture
from test_batched_gradients import check_motion

from handrefine.errors import InputError
from handrefine.lens import Lens
from handrefine.mesh import MeshTopology
from handrefine.render.base import HandSurface
from handrefine.sequence import Camera
from handrefine.views import View, ViewSet

#: Strong ones, of every number of coefficients.
NUMBERS = (-0.3, 0.09, 0.004, -0.006, 0.01, 0.05, -0.02, 0.004, 0.004, -0.002, 0.003, 0.001, 0.05, -0.08)
LENSES = {
    **{f"opencv {count}": Lens("opencv", NUMBERS[:count]) for count in (4, 5, 8, 12, 14)},
    "fisheye": Lens("fisheye", (0.08, -0.03, 0.01, -0.002)),
}
EYES = ((0.0, -0.25, 0.08), (0.2, 0.15, -0.1))


def bent_views(lens: Lens, size: int = 44) -> ViewSet:
    """The hand fills most of a wide image, and leaves it in the second view, a window of a larger one."""
    cameras = [
        dataclasses.replace(look_at_camera(eye, (size, size - 4), (0.9 * size, 1.0 * size)), lens=lens)
        for eye in EYES
    ]
    cameras[1] = cameras[1].cropped(9, 5, size - 12, size - 12)
    return ViewSet(tuple(View(0, camera) for camera in cameras))


def octahedron(centre: np.ndarray, radius_m: float) -> torch.Tensor:
    return torch.tensor(np.concatenate([np.eye(3), -np.eye(3)]) * radius_m + centre, dtype=torch.float32)


OCTAHEDRON = MeshTopology(
    6,
    np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]]),
    np.tile([[0.5, 0.5]], (6, 1)),
    np.zeros((8, 3), dtype=np.int64),
)


@pytest.mark.parametrize("name", LENSES)
def test_a_point_is_rendered_where_opencv_projects_it(runtime, name):
    """Within 0.01 px: the middle of a small octahedron's image, by 5 points out to the corners of the image."""
    lens, K = LENSES[name], np.array([[2200.0, 0, 1613.3], [0, 2310.0, 1172.2], [0, 0, 1]])
    project = cv2.fisheye.projectPoints if lens.model == "fisheye" else cv2.projectPoints
    whole = Camera("c", 3200, 2400, 2200.0, 2310.0, 1613.8, 1172.7, np.eye(3), np.zeros(3), lens=lens)
    points = 0.8 * np.array([[0.0, 0, 1], [0.5, 0.3, 1], [-0.6, 0.4, 1], [0.55, -0.45, 1], [-0.3, -0.35, 1]])
    uv_px = (
        project(points[:, None], np.zeros(3), np.zeros(3), K, np.array(lens.coefficients))[0].reshape(-1, 2) + 0.5
    )
    corners = np.floor(uv_px).astype(int) - 8
    crops = [whole.cropped(int(x), int(y), 17, 17) for x, y in corners]
    viewset = ViewSet(tuple(View(k, camera) for k, camera in enumerate(crops)))
    surface = HandSurface(torch.stack([octahedron(p, 0.0015) for p in points]), smooth_texture(1))
    image = make([OCTAHEDRON], viewset, shading="albedo", spp=4096).render([surface], lamps(), seed=3)
    for picture, corner, expected in zip(viewset.split(image.coverage[:, 0]), corners, uv_px, strict=True):
        weights = picture.double().numpy()
        y, x = np.mgrid[:17, :17] + 0.5
        found = corner + np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()
        np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("name", ["opencv 8", "opencv 14", "fisheye"])
def test_motion_of_vertices_through_a_lens(runtime, rest_hand, name):
    """Silhouettes, image borders and what lies inside, within 2 % of finite differences and 4 standard errors."""
    check_motion(rest_hand, bent_views(LENSES[name]), smooth_texture(1), spp=512)


def test_a_lens_that_does_nothing_changes_nothing(runtime, rest_hand):
    """Up to rounding; and a view set without any lens is rendered by the kernels that know of none."""
    plain, bent = bent_views(Lens("opencv", (0.0,) * 4)), None
    bent = plain
    plain = ViewSet(tuple(View(v.frame, dataclasses.replace(v.camera, lens=None)) for v in bent.views))
    renderers = [make([rest_hand.topology], views, spp=16) for views in (plain, bent)]
    hands = [HandSurface(rest_hand.verts[None], smooth_texture(1))]
    images = [renderer.render(hands, low_order_light(), seed=1) for renderer in renderers]
    assert renderers[0]._tracers[0].sensor.lenses is None
    assert (images[0].coverage - images[1].coverage).abs().mean() < 2e-4
    assert (images[0].rgb - images[1].rgb).abs().mean() < 1e-3


def test_renderers_of_pinholes_refuse_lenses(runtime, rest_hand):
    from handrefine.render.base import RenderConfig
    from handrefine.render.registry import create_renderer

    for backend in ("reference", "redner"):
        with pytest.raises(InputError, match="lens"):
            create_renderer([rest_hand.topology], bent_views(LENSES["fisheye"]), RenderConfig(backend=backend))

"""What the report draws itself: normals, residuals, contours, the light on a sphere, the atlas, curves."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from handrefine.losses.objective import LossesConfig
from handrefine.mesh import MeshTopology
from handrefine.report import charts
from handrefine.report.appearance import DIFFUSE_BANDS, SPHERE_PX, atlas_texels, lit_sphere
from handrefine.report.charts import COLOURS, loss_charts
from handrefine.report.normals import normal_image
from handrefine.report.view_panels import contour_path, signed_residual
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN
from handrefine.runs.view_files import ViewImages
from handrefine.sequence import Camera
from handrefine.spherical import latlong_directions, latlong_solid_angles, sh_basis


def test_normals_of_a_sphere_point_away_from_its_middle() -> None:
    verts, faces = icosphere(4)
    camera = Camera("c", 80, 60, 200.0, 200.0, 40.0, 30.0, np.eye(3), np.array([0.0, 0, 10]))
    picture, covered = normal_image(verts, verts, faces, camera)
    # The silhouette of a unit sphere at distance 10: a disc of radius f / sqrt(99).
    radius_px = 200 / math.sqrt(99)
    assert covered.sum() == pytest.approx(math.pi * radius_px**2, rel=0.01)
    y, x = np.nonzero(covered)
    inner = np.hypot(x + 0.5 - 40, y + 0.5 - 30) < 0.9 * radius_px
    found = picture[y, x][inner] / 255 * 2 - 1
    direction = np.stack([x + 0.5 - 40, y + 0.5 - 30, np.full(len(x), 200.0)], axis=1)[inner]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    along = direction[:, 2] * 10
    hit = direction * (along - np.sqrt(along**2 - 99))[:, None] - [0, 0, 10]
    assert np.abs(found - hit * [1, -1, -1]).max() < 0.04


def test_the_nearest_surface_is_seen() -> None:
    square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    verts = np.concatenate([square, square + np.array([0, 0, 1])])
    faces = np.array([[4, 5, 6], [4, 6, 7], [0, 1, 2], [0, 2, 3], [1, 1, 2]])
    normals = np.repeat([[0.0, 0, -1], [1.0, 0, 0]], 4, axis=0)
    camera = Camera("c", 20, 20, 20.0, 20.0, 10.0, 10.0, np.eye(3), np.array([0.0, 0, 4]))
    for order in (faces, faces[::-1]):
        picture, covered = normal_image(verts, normals, order, camera)
        assert covered.sum() == 100
        assert (picture[covered] == [128, 128, 255]).all()
    behind = normal_image(verts, normals, faces, Camera("b", 8, 8, 9.0, 9.0, 4.0, 4.0, np.eye(3), np.zeros(3)))
    assert behind[1].any()  # the far square alone: the near one holds the camera's own plane


def test_the_residual_is_signed_and_follows_the_labels() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    label = np.array([[HAND, NOT_HAND, UNKNOWN, UNKNOWN]] * 4, np.uint8)
    rendered = np.full((4, 4, 4), 132, np.uint8)
    rendered[..., 3] = [255, 255, 255, 0]
    residual = signed_residual(ViewImages(image, label, rendered, rendered), rendered)
    red_over_blue = residual.image[..., 0].astype(int) - residual.image[..., 2]
    assert (red_over_blue[:, :3] > 0).all()
    # 32 levels brighter are half strength; a render where there should be black is 132; unknown is faint.
    assert residual.image[0, :, 3].tolist() == [128, 255, 38, 0]
    assert residual.mean_levels == pytest.approx((32 + 132) / 2)
    nothing_known = np.full_like(label, UNKNOWN)
    free = signed_residual(ViewImages(image, nothing_known, rendered, rendered), rendered)
    assert free.image[0, :, 3].tolist() == [128, 128, 128, 0]
    assert free.mean_levels == pytest.approx(32)
    dark = signed_residual(ViewImages(image, label, rendered, rendered), np.zeros_like(rendered))
    assert dark.image[0, 0, 2] > dark.image[0, 0, 0]
    assert dark.image[0, :, 3].tolist() == [255, 0, 0, 0]


def test_the_contour_runs_where_half_a_pixel_is_covered() -> None:
    y, x = np.indices((60, 80)) + 0.5
    disc = np.clip(20 - np.hypot(x - 40, y - 30) + 0.5, 0, 1)
    path = contour_path(np.rint(255 * disc).astype(np.uint8))
    points = np.array([[float(v) for v in p.split()] for p in path.strip("MZ").split("L")])
    assert path.count("M") == 1
    assert np.abs(np.hypot(*(points - [40, 30]).T) - 20).max() < 0.4
    assert contour_path(np.zeros((8, 8), np.uint8)) == ""


def test_the_sphere_is_lit_as_an_integral_over_the_light_says() -> None:
    rng = np.random.default_rng(0)
    order = 4
    coefficients = 0.1 * rng.normal(size=((order + 1) ** 2, 3))
    coefficients[0] = 1.2
    directions, solid = latlong_directions(128, 256).double(), latlong_solid_angles(128, 256).double()
    light = sh_basis(directions, order) @ torch.as_tensor(coefficients)
    picture = lit_sphere(coefficients.astype(np.float32), np.eye(3))
    assert len(DIFFUSE_BANDS) == order + 1
    for column, row in ((96, 96), (144, 67), (38, 153)):
        u, v = ((p + 0.5) / (SPHERE_PX / 2) - 1 for p in (column, row))
        normal = torch.tensor([u, v, -math.sqrt(1 - u * u - v * v)], dtype=torch.float64)
        cosine = (directions @ normal).clamp(min=0)
        radiance = ((light * cosine[..., None] * solid[..., None]).sum(dim=(0, 1)) / math.pi).numpy()
        srgb = np.where(radiance > 0.0031308, 1.055 * np.abs(radiance) ** (1 / 2.4) - 0.055, 12.92 * radiance)
        assert np.abs(picture[row, column, :3] - 255 * np.clip(srgb, 0, 1)).max() < 2
    assert picture[0, 0, 3] == 0


def test_the_atlas_of_one_triangle_is_that_triangle() -> None:
    corner = MeshTopology(
        3, np.array([[0, 1, 2]]), np.array([[0.0, 1], [0.5, 1], [0.0, 0.5]]), np.array([[0, 1, 2]])
    )
    used = atlas_texels(corner, 64)
    assert used[:8, :8].all()
    assert not used[40:].any()
    assert used.sum() == pytest.approx(512, rel=0.1)


def test_curves_bear_missing_values_and_any_number_of_records() -> None:
    assert loss_charts([]) == ""
    one = loss_charts([{"iteration": 0, "stage": "joint", "loss": 1.0}])
    assert "h0" in one
    assert "NaN" not in one
    broken = loss_charts(
        [
            {"iteration": k, "stage": "a<b", "loss": math.nan if k == 1 else 3.0**-k, "terms": {"x": 0.0}}
            for k in range(5)
        ]
    )
    assert "nan" not in broken.lower()
    assert "a&lt;b" in broken
    assert "a<b" not in broken
    assert "(logarithmic)" in broken


def test_every_curve_of_the_objective_has_a_colour_of_its_own() -> None:
    """The loss, all terms, and some of a plugin's."""
    assert len(LossesConfig().known()) + 1 <= COLOURS
    style = (Path(charts.__file__).parent / "report.css").read_text(encoding="utf-8")
    for scheme in style.split("prefers-color-scheme: dark")[0], style.split("prefers-color-scheme: dark")[1]:
        colours = dict(re.findall(r"--c(\d+): (#\w+);", scheme))
        assert [int(k) for k in colours] == list(range(COLOURS))
        assert len(set(colours.values())) == COLOURS


def icosphere(times: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere of triangles."""
    octahedron = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    corners = octahedron[np.array(faces)]
    for _ in range(times):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a + b, b + c, c + a))
        corners = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    return corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3)

"""Pixels that a mesh covers have its size, and its depth."""

import numpy as np
import pytest

from handrefine.preprocess.masks.depth_map import depth_map
from handrefine.sequence import Camera

CENTRE, RADIUS_PX = np.array([60.2, 59.7]), 40.3
CAMERA = Camera("a", 120, 120, 1.0, 1.0, 0.0, 0.0, np.eye(3), np.zeros(3))


def disc(depth_m: float = 1.0, corners: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A disc across the view, as a fan of triangles."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    rim = CENTRE + RADIUS_PX * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    flat = np.vstack([CENTRE, rim])
    verts = depth_m * np.column_stack([flat, np.ones(len(flat))])
    k = np.arange(corners)
    return verts, np.column_stack([np.zeros_like(k), 1 + k, 1 + (k + 1) % corners])


@pytest.mark.parametrize("clockwise", [False, True])
def test_a_region_has_its_true_size_and_no_rim(clockwise):
    verts, faces = disc()
    covered = np.isfinite(depth_map(verts, faces[:, ::-1] if clockwise else faces, CAMERA))
    y, x = np.mgrid[:120, :120] + 0.5
    true = np.hypot(x - CENTRE[0], y - CENTRE[1]) < RADIUS_PX
    assert np.count_nonzero(covered != true) <= 0.005 * np.count_nonzero(true)
    assert covered.sum() == pytest.approx(np.pi * RADIUS_PX**2, rel=2e-3)


def test_the_nearest_triangle_counts_and_those_behind_the_camera_do_not():
    (near, faces), (far, _) = disc(0.5), disc(2.0)
    behind = -far
    both = np.vstack([far, near, behind])
    depth_m = depth_map(both, np.vstack([faces, faces + len(far), faces + 2 * len(far)]), CAMERA)
    assert depth_m[60, 60] == pytest.approx(0.5)
    assert np.isinf(depth_m[0, 0])
    assert np.isinf(depth_map(behind, faces, CAMERA)).all()


def test_triangles_far_beyond_the_image_are_drawn_as_far_as_it_reaches():
    verts = np.array([[1e7, -1e7, 1.0], [1e7, 1e7, 1.0], [-1e7, 0.0, 1.0]])
    assert np.isfinite(depth_map(verts, np.array([[0, 1, 2]]), CAMERA)).all()

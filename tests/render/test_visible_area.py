"""Visible area against closed forms and against a rasterised image."""

import cv2
import numpy as np
import pytest
from render_scenes import RestHand

from handrefine.sequence import Camera

SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


def camera_at(eye: tuple[float, float, float], *, cx: float = 50.0, focal: float = 100.0) -> Camera:
    """Looks at the origin from the z axis' side, 100 x 100 px."""
    forward = -np.asarray(eye) / np.linalg.norm(eye)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    return Camera("c", 100, 100, focal, focal, cx, 50.0, R, -R @ np.asarray(eye))


def square(z: float, half: float) -> np.ndarray:
    """A square that faces +z."""
    return np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])


def area(verts: np.ndarray, faces: np.ndarray, *cameras: Camera) -> np.ndarray:
    from handrefine.render.mitsuba.visibility import visible_area_mm2

    return visible_area_mm2(verts, faces, cameras)


def test_a_square_is_seen_by_area_and_cosine(runtime):
    """A far camera in front sees all of it, one at 60 degrees half, one behind nothing."""
    tilted = (100 * np.sin(np.pi / 3), 0.0, 100 * np.cos(np.pi / 3))
    seen = area(square(0, 0.01), SQUARE_FACES, camera_at((0, 0, 100)), camera_at(tilted), camera_at((0, 0, -100)))
    np.testing.assert_allclose(seen, [400, 200, 0], rtol=1e-3)


def test_what_hides_behind_the_hand_itself_does_not_count(runtime):
    """A large square behind a small one; only triangles whose centroid is hidden are lost."""
    verts = np.concatenate([square(0, 0.01), square(0.02, 0.012)])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    front = area(verts, faces, camera_at((0, 0, 1)))
    assert front == pytest.approx(24 * 24, rel=1e-3)
    apart = verts + np.repeat([[0, 0, 0], [0.1, 0, 0]], 4, axis=0)
    assert area(apart, faces, camera_at((0, 0, 100))) == pytest.approx(24 * 24 + 20 * 20, rel=1e-3)


def test_what_lies_outside_the_image_or_behind_the_camera_does_not_count(runtime):
    away = camera_at((0, 0, 1), cx=150.0)
    backwards = Camera("b", 100, 100, 100.0, 100.0, 50.0, 50.0, np.eye(3), np.array([0.0, 0.0, -1.0]))
    np.testing.assert_array_equal(area(square(0, 0.01), SQUARE_FACES, away, backwards), [0, 0])


def test_a_hand_agrees_with_its_rasterised_image(runtime, rest_hand: RestHand):
    """Far away, the visible projected area is the silhouette's: pixels times (distance / focal)^2."""
    for eye in [(0.3, 1.0, 0.2), (-1.0, 0.1, 0.1), (-0.2, -0.9, 0.4)]:  # none looks into the open wrist
        camera = camera_at(tuple(10 * np.asarray(eye) / np.linalg.norm(eye)), focal=4000.0)
        uv = camera.project(rest_hand.verts.double()).numpy()
        image = np.zeros((1600, 1600), np.uint8)
        for triangle in uv[rest_hand.topology.faces]:
            cv2.fillConvexPoly(image, np.rint(16 * triangle).astype(np.int32), 1)
        expected = np.count_nonzero(image) / 16**2 * (10 / 4000) ** 2 * 1e6
        seen = area(rest_hand.verts.numpy(), rest_hand.topology.faces, camera)[0]
        assert seen == pytest.approx(expected, rel=0.06)  # triangles count whole, contour pixels too

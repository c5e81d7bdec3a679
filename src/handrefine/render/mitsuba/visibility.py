"""How much of a hand's surface each camera sees, by ray tracing. Import after `start_mitsuba()`."""

from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np
from jaxtyping import Bool, Float, Int

from handrefine.sequence import Camera

#: Rays start this far above the surface: more than float32's rounding, far less than a finger's thickness.
_OFFSET_M = 1e-5
_MM2_PER_M2 = 1e6


def visible_area_mm2(
    verts_world: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], cameras: Sequence[Camera]
) -> Float[np.ndarray, " camera"]:
    """The hand's visible area as each camera sees it: `sum over visible triangles of area * cos`, in mm^2.

    cos is that between the triangle's normal and the direction to the camera: surface seen at a grazing angle
    tells little, and counts little. Unlike an area in pixels it favours neither the nearest camera nor the longest
    lens. A triangle is visible as a whole or not at all: when it faces the camera, its centroid projects into the
    image, and nothing of the hand stands between the two. The inside seen through the open wrist does not count.
    """
    return _MM2_PER_M2 * visible_triangle_area(verts_world, faces, cameras).sum(axis=1)


def visible_triangle_area(
    verts_world: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], cameras: Sequence[Camera]
) -> Float[np.ndarray, "camera face"]:
    """The terms of that sum one by one, in m^2: area times cosine, 0 for what a camera does not see."""
    corners = verts_world[faces].astype(np.float64)
    doubled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area_m2 = np.linalg.norm(doubled, axis=1) / 2
    normals = doubled / np.maximum(2 * area_m2, 1e-20)[:, None]
    centroids = corners.mean(axis=1)
    to_camera = np.stack([camera.center_world for camera in cameras])[:, None] - centroids
    distance = np.linalg.norm(to_camera, axis=2)
    cos = np.einsum("cfk,fk->cf", to_camera, normals) / np.maximum(distance, 1e-20)
    inside = np.stack([_in_image(centroids, camera) for camera in cameras])
    candidate = (cos > 0) & inside
    origins = np.broadcast_to(centroids + _OFFSET_M * normals, to_camera.shape)
    free = np.zeros_like(candidate)
    free[candidate] = ~_blocked(_mesh_scene(verts_world, faces), origins[candidate], to_camera[candidate])
    return np.where(free, area_m2 * cos, 0.0)


def _in_image(points_world: Float[np.ndarray, "face 3"], camera: Camera) -> Bool[np.ndarray, " face"]:
    u_px, v_px = camera.pixels(points_world).T  # NaN is nowhere in the image
    return (u_px >= 0) & (u_px < camera.width) & (v_px >= 0) & (v_px < camera.height)


def _blocked(
    scene: mi.Scene, origins: Float[np.ndarray, "ray 3"], segments: Float[np.ndarray, "ray 3"]
) -> Bool[np.ndarray, " ray"]:
    if len(origins) == 0:
        return np.zeros(0, bool)
    length = np.linalg.norm(segments, axis=1)
    ray = mi.Ray3f(_columns(origins, mi.Point3f), _columns(segments / length[:, None], mi.Vector3f))
    ray.maxt = mi.Float(length.astype(np.float32))  # pyright: ignore[reportAttributeAccessIssue]
    return dr.select(scene.ray_test(ray), mi.Float(1), mi.Float(0)).numpy() > 0


def _columns(points: np.ndarray, kind: type):
    return kind(*(mi.Float(np.ascontiguousarray(column, np.float32)) for column in points.T))


def _mesh_scene(verts_world: np.ndarray, faces: np.ndarray) -> mi.Scene:
    mesh = mi.Mesh("hand", len(verts_world), len(faces))
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = mi.Float(np.ascontiguousarray(verts_world, np.float32).ravel())
    parameters["faces"] = mi.UInt32(np.ascontiguousarray(faces, np.uint32).ravel())
    parameters.update()
    return mi.load_dict({"type": "scene", "hand": mesh})

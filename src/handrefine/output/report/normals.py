"""The hand's surface normals as a picture, without a renderer: what Fig. 5 of the paper shows over the images."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.sequence import Camera


@dataclass(frozen=True, eq=False)
class _Fragments:
    """Pixels that triangles cover: which pixel, which triangle, and where in it (barycentric)."""

    pixel: Int[np.ndarray, " fragment"]
    face: Int[np.ndarray, " fragment"]
    weights: Float[np.ndarray, "fragment 3"]


def normal_picture(
    verts_world: Float[np.ndarray, "vertex 3"], topology: MeshTopology, camera: Camera
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """Normals in the camera's frame as colours, and where there is hand.

    A pixel takes the nearest triangle over its centre. Red grows to the right, green upwards, blue towards the
    camera: `(1 + n) / 2`. Triangles that reach behind the camera are left out.
    """
    height, width = camera.height, camera.width
    verts = torch.as_tensor(verts_world, dtype=torch.float64)
    verts_cam = camera.to_camera(verts).numpy()
    normals_cam = vertex_normals(verts, topology).numpy() @ camera.R_cam_world.T
    faces = np.asarray(topology.faces)
    faces = faces[(verts_cam[faces, 2] > 1e-6).all(axis=1)]
    uv_px = camera.project(verts).numpy()
    found = _rasterise(uv_px[faces], height, width)

    corners = faces[found.face]
    depth = 1 / (found.weights / verts_cam[corners, 2]).sum(axis=1)
    nearest_last = np.argsort(-depth, kind="stable")
    normals = (found.weights[..., None] * normals_cam[corners]).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    picture, covered = np.zeros((height * width, 3), np.uint8), np.zeros(height * width, bool)
    colours = np.rint(255 * np.clip((1 + normals * [1, -1, -1]) / 2, 0, 1)).astype(np.uint8)
    picture[found.pixel[nearest_last]] = colours[nearest_last]
    covered[found.pixel] = True
    return picture.reshape(height, width, 3), covered.reshape(height, width)


def _rasterise(corners_px: Float[np.ndarray, "face 3 2"], height: int, width: int) -> _Fragments:
    """All (triangle, pixel) pairs with the pixel's centre in the triangle: every pixel of the bounding boxes is
    listed, and those outside their triangle are dropped."""
    size = np.array([width, height])
    low = np.clip(np.floor(corners_px.min(axis=1)), 0, size).astype(int)
    high = np.clip(np.ceil(corners_px.max(axis=1)), 0, size).astype(int)
    extent = high - low
    count = extent.prod(axis=1)
    face = np.repeat(np.arange(len(corners_px)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[face, 0] + within % extent[face, 0], low[face, 1] + within // extent[face, 0]

    a, b, c = (corners_px[face, k] for k in range(3))
    point = np.stack([x, y], axis=1) + 0.5
    area = _cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([_cross(b - point, c - point), _cross(c - point, a - point)], axis=1) / area[:, None]
    weights = np.concatenate([weights, 1 - weights.sum(axis=1, keepdims=True)], axis=1)
    inside = (weights >= 0).all(axis=1)  # NaN, from triangles without area, is not
    return _Fragments((y * width + x)[inside], face[inside], weights[inside])


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

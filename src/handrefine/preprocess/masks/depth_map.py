"""Which pixels a mesh covers, and how far away it is there: told at the pixels' centres, without a renderer."""

import numpy as np
import torch
from jaxtyping import Float, Int

from handrefine.sequence import Camera

#: Pixels that are tested against their triangles at a time.
AT_ONCE = 1 << 22

Depth = Float[np.ndarray, "height width"]


def depth_map(
    verts_world: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], camera: Camera
) -> Depth:
    """Depth of a mesh's nearest triangle at every pixel, metres, one a triangle; infinite beside the mesh.

    A pixel is covered where its centre is, so that on average regions have their true size. Triangles that reach
    behind the camera are left out.
    """
    points = torch.as_tensor(verts_world)
    corners = camera.project(points).numpy()[faces].astype(np.float64) - 0.5  # centres at whole numbers
    depth_m = camera.to_camera(points).numpy()[faces, 2].mean(axis=1).astype(np.float32)
    limit = np.array([camera.width, camera.height])
    low = np.ceil(np.clip(np.nan_to_num(corners.min(axis=1), nan=np.inf), 0, limit)).astype(int)
    high = np.floor(np.clip(np.nan_to_num(corners.max(axis=1), nan=-np.inf), -1, limit - 1)).astype(int)
    size = np.maximum(high - low + 1, 0)
    nearest = np.full(camera.width * camera.height, np.inf, np.float32)
    ends = np.cumsum(size.prod(axis=1))
    for batch in np.split(np.arange(len(faces)), np.searchsorted(ends, np.arange(AT_ONCE, ends[-1], AT_ONCE))):
        face, pixel = _covered(corners[batch], low[batch], size[batch], camera.width)
        np.minimum.at(nearest, pixel, depth_m[batch][face])
    return nearest.reshape(camera.height, camera.width)


def _covered(
    corners: Float[np.ndarray, "face 3 2"],
    low: Int[np.ndarray, "face 2"],
    size: Int[np.ndarray, "face 2"],
    width: int,
) -> tuple[Int[np.ndarray, " hit"], Int[np.ndarray, " hit"]]:
    """Pairs of a triangle and a pixel in it, out of the pixels of the triangles' boxes."""
    count = size.prod(axis=1)
    face = np.repeat(np.arange(len(corners)), count)
    place = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    x, y = low[face, 0] + place % size[face, 0], low[face, 1] + place // size[face, 0]
    a, b, c = corners.transpose(1, 0, 2)
    sides = []
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        sides.append(along[face, 0] * (y - start[face, 1]) - along[face, 1] * (x - start[face, 0]))
    sides = np.stack(sides)
    inside = (sides >= 0).all(axis=0) | (sides <= 0).all(axis=0)
    return face[inside], y[inside] * width + x[inside]

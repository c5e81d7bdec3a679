"""The hand's surface normals as an image, without a renderer: what Fig. 5 of the paper shows over the images."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from handrefine.sequence import Camera


@dataclass(frozen=True, eq=False)
class _Fragments:
    """Pixels that triangles cover: which pixel, which triangle, and where in it (barycentric)."""

    pixel: Int[np.ndarray, " fragment"]
    face: Int[np.ndarray, " fragment"]
    weights: Float[np.ndarray, "fragment 3"]


def normal_image(
    verts_world: Float[np.ndarray, "vertex 3"],
    normals_world: Float[np.ndarray, "vertex 3"],
    faces: Int[np.ndarray, "face 3"],
    camera: Camera,
) -> tuple[UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """Normals in the camera's frame as colours, and where there is hand.

    A pixel takes the nearest triangle over its centre. Red grows to the right, green upwards, blue towards the
    camera: `(1 + n) / 2`. Triangles that reach behind the camera are left out.
    """
    height, width = camera.height, camera.width
    verts_cam = verts_world @ camera.R_cam_world.T + camera.t_cam_world
    normals_cam = normals_world @ camera.R_cam_world.T
    uv_px = camera.pixels(verts_world.astype(np.float64))
    faces = faces[np.isfinite(uv_px[faces]).all(axis=(1, 2))]
    found = _rasterise(uv_px[faces], height, width)

    corners = faces[found.face]
    depth = 1 / (found.weights / verts_cam[corners, 2]).sum(axis=1)
    nearest_last = np.argsort(-depth, kind="stable")
    normals = (found.weights[..., None] * normals_cam[corners]).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    image, covered = np.zeros((height * width, 3), np.uint8), np.zeros(height * width, bool)
    colours = np.rint(255 * np.clip((1 + normals * [1, -1, -1]) / 2, 0, 1)).astype(np.uint8)
    image[found.pixel[nearest_last]] = colours[nearest_last]
    covered[found.pixel] = True
    return image.reshape(height, width, 3), covered.reshape(height, width)


def _rasterise(corners_px: Float[np.ndarray, "face 3 2"], height: int, width: int) -> _Fragments:
    """All (triangle, pixel) pairs with the pixel's centre in the triangle: every pixel of the bounding boxes is
    listed, and those outside their triangle are dropped."""
    a, b, c = (corners_px[:, k] for k in range(3))
    size = np.array([width, height])
    # Centres lie half a pixel from the corner that a pixel is counted from.
    low = np.clip(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0, size).astype(int)
    high = np.clip(np.floor(np.maximum(np.maximum(a, b), c) + 0.5), 0, size).astype(int)
    extent = np.maximum(high - low, 0)
    count = extent[:, 0] * extent[:, 1]
    face = np.repeat(np.arange(len(corners_px)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    row, column = np.divmod(within, extent[face, 0])
    x, y = low[face, 0] + column, low[face, 1] + row

    with np.errstate(divide="ignore", invalid="ignore"):
        inverse_area = 1 / _cross(b - a, c - a)
        point = np.stack([x, y], axis=1) + 0.5
        of_a = _cross(b[face] - point, c[face] - point) * inverse_area[face]
        of_b = _cross(c[face] - point, a[face] - point) * inverse_area[face]
        of_c = 1 - of_a - of_b
    inside = (of_a >= 0) & (of_b >= 0) & (of_c >= 0)  # NaN, from triangles without area, is not
    weights = np.stack([of_a[inside], of_b[inside], of_c[inside]], axis=1)
    return _Fragments((y * width + x)[inside], face[inside], weights)


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

"""The hand's surface normals as an image, without a renderer: what Fig. 5 of the paper shows over the images."""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from handrefine.rasterise import rasterise
from handrefine.sequence import Camera


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
    found = rasterise(uv_px[faces], height, width)
    weights = found.weights
    told = np.isfinite(weights).all(axis=1)  # not by triangles without area
    weights, pixel, corners = weights[told], found.pixel[told], faces[found.face[told]]
    depth = 1 / (weights / verts_cam[corners, 2]).sum(axis=1)
    nearest_last = np.argsort(-depth, kind="stable")
    normals = (weights[..., None] * normals_cam[corners]).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    image, covered = np.zeros((height * width, 3), np.uint8), np.zeros(height * width, bool)
    colours = np.rint(255 * np.clip((1 + normals * [1, -1, -1]) / 2, 0, 1)).astype(np.uint8)
    image[pixel[nearest_last]] = colours[nearest_last]
    covered[pixel] = True
    return image.reshape(height, width, 3), covered.reshape(height, width)

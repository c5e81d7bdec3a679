"""How far away a mesh is at every pixel that it covers, without a renderer."""

import numpy as np
import torch
from jaxtyping import Float, Int

from handrefine.rasterise import rasterise
from handrefine.sequence import Camera

Depth = Float[np.ndarray, "height width"]


def depth_map(
    verts_world: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], camera: Camera
) -> Depth:
    """Depth of a mesh's nearest triangle at every pixel, metres, one a triangle; infinite beside the mesh.

    A pixel is covered where its centre is, so that on average regions have their true size. Triangles that reach
    behind the camera are left out.
    """
    points = torch.as_tensor(verts_world)
    depth_m = camera.to_camera(points).numpy()[faces, 2].mean(axis=1).astype(np.float32)
    found = rasterise(camera.pixels(verts_world)[faces], camera.height, camera.width)
    nearest = np.full(camera.width * camera.height, np.inf, np.float32)
    np.minimum.at(nearest, found.pixel, depth_m[found.face])
    return nearest.reshape(camera.height, camera.width)

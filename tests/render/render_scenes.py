"""Small scenes for rendering tests: the open hand as plain arrays, a sphere with seams, cameras around them."""

from dataclasses import dataclass

import numpy as np
import torch

from handrefine.mesh import MeshTopology
from handrefine.sequence import Camera
from handrefine.views import View, ViewSet


@dataclass(frozen=True, eq=False)
class RestHand:
    """The open hand at rest, about its own centre (metres)."""

    topology: MeshTopology
    verts: torch.Tensor
    shape_directions: torch.Tensor
    weights: torch.Tensor
    joints: torch.Tensor


def look_at_camera(eye: tuple[float, float, float], size: tuple[int, int], focal: tuple[float, float]) -> Camera:
    """A camera at `eye` (metres) that looks at the origin, its principal point off the image's centre."""
    forward = -np.asarray(eye) / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 0.3, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    return Camera(
        name=f"eye{eye}",
        width=size[0],
        height=size[1],
        fx=focal[0],
        fy=focal[1],
        cx=size[0] / 2 + 1.3,
        cy=size[1] / 2 - 0.8,
        R_cam_world=R,
        t_cam_world=-R @ np.asarray(eye, dtype=float),
    )


def planar_uv(topology: MeshTopology, verts: torch.Tensor) -> MeshTopology:
    """The same mesh, cut along the same seams, with texture coordinates that run on across them.

    A texture that jumps at a seam has moving edges on the surface, whose motion no renderer here differentiates.
    """
    points = verts.numpy()[topology.split_to_vertex]
    low, high = points.min(0), points.max(0)
    uv = ((points - low) / (high - low))[:, [0, 2]].astype(np.float32)
    return MeshTopology(topology.n_vertices, topology.faces, uv, topology.split_faces)


def sphere(radius_m: float, subdivisions: int = 4) -> tuple[torch.Tensor, MeshTopology]:
    """A subdivided octahedron with a seam along x = 0."""
    verts = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(subdivisions):
        a, b, c = verts[faces].swapaxes(0, 1)
        ab, bc, ca = ((p + q) / np.linalg.norm(p + q, axis=-1, keepdims=True) for p, q in ((a, b), (b, c), (c, a)))
        soup = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        verts, inverse = np.unique(soup.reshape(-1, 3).round(9), axis=0, return_inverse=True)
        faces = inverse.reshape(-1, 3)
    right = verts[faces].mean(1)[:, 0] > 0
    uv = np.tile(verts[:, [0, 2]] / 2 + 0.5, (2, 1))
    topology = MeshTopology(len(verts), faces, uv, faces + right[:, None] * len(verts))
    return torch.tensor(verts * radius_m, dtype=torch.float32), topology


def two_views(size: tuple[int, int] = (48, 40)) -> ViewSet:
    """Two cameras 0.5 m away, with pixels that are not square and principal points off the centre."""
    width, height = size
    return ViewSet(
        (
            View(0, look_at_camera((0, -0.5, 0.1), size, (1.9 * width, 2.1 * height))),
            View(0, look_at_camera((0.3, 0.4, 0.2), size, (1.7 * width, 2.3 * height))),
        )
    )


def resident_mib() -> float:
    """Memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

"""The connectivity of a hand mesh and its UV atlas: what stays constant while the hand moves."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MeshTopology:
    """Triangles over vertices, and the same triangles over texture coordinates.

    uv: texture coordinates in [0, 1]; v = 0 is the *bottom* row of the texture image.
    A vertex on a seam of the atlas owns several texture coordinates.
    """

    n_vertices: int
    faces: Int[np.ndarray, "face 3"]
    uv: Float[np.ndarray, "coord 2"]
    uv_faces: Int[np.ndarray, "face 3"]

    @cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        pairs = np.stack([self.faces.ravel(), self.uv_faces.ravel()], axis=1)
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
        return unique, inverse.reshape(-1, 3)

    @property
    def split_to_vertex(self) -> Int[np.ndarray, " corner"]:
        """The vertex of every distinct (vertex, uv) pair: a renderer's vertex list."""
        return self._split[0][:, 0]

    @property
    def split_uv(self) -> Float[np.ndarray, "corner 2"]:
        return self.uv[self._split[0][:, 1]]

    @property
    def split_faces(self) -> Int[np.ndarray, "face 3"]:
        """Triangles over (vertex, uv) pairs."""
        return self._split[1]

    def uv_texels(self, size: int) -> Float[np.ndarray, "coord 2"]:
        """Texture coordinates in texels of a square texture; (0, 0) is the upper left corner of its first row."""
        return np.stack([self.uv[:, 0], 1 - self.uv[:, 1]], axis=1) * size

    @cached_property
    def edges(self) -> tuple[Int[np.ndarray, "edge 2"], Int[np.ndarray, "edge 2"]]:
        """Edges as vertex pairs, and the two faces on either side (-1 for none: an open boundary)."""
        corners = self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        owner = np.repeat(np.arange(len(self.faces)), 3)
        vertices, inverse = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
        order = np.argsort(inverse.ravel(), kind="stable")
        first = np.searchsorted(inverse.ravel()[order], np.arange(len(vertices)))
        count = np.bincount(inverse.ravel(), minlength=len(vertices))
        adjacent = np.full((len(vertices), 2), -1)
        adjacent[:, 0] = owner[order[first]]
        shared = count > 1
        adjacent[shared, 1] = owner[order[first[shared] + 1]]
        return vertices, adjacent

    def with_faces(self, kept: Bool[np.ndarray, " face"]) -> "MeshTopology":
        """Some of the triangles over the same vertices and texture coordinates."""
        return MeshTopology(self.n_vertices, self.faces[kept], self.uv, self.uv_faces[kept])

    def mirrored(self) -> "MeshTopology":
        """The same mesh with its triangles' orientation reversed, for vertices reflected in a plane."""
        return MeshTopology(self.n_vertices, self.faces[:, ::-1], self.uv, self.uv_faces[:, ::-1])


def vertex_normals(
    verts: Float[Tensor, "*batch vertex 3"], topology: MeshTopology
) -> Float[Tensor, "*batch vertex 3"]:
    """Smooth unit normals on the unsplit mesh: area-weighted means of the faces; differentiable.

    `sum over faces (b - a) x (c - a)`, normalised; a cross product's length is twice the triangle's area.
    Seams of the UV atlas leave no trace, since a vertex counts once however many texture coordinates it owns.
    A vertex without any face of positive area gets a zero normal.
    """
    faces = torch.as_tensor(np.ascontiguousarray(topology.faces), device=verts.device)
    a, b, c = (verts[..., faces[:, k], :] for k in range(3))
    face_normals = torch.linalg.cross(b - a, c - a)
    corners = face_normals.repeat_interleave(3, dim=-2)
    return torch.nn.functional.normalize(
        torch.zeros_like(verts).index_add(-2, faces.ravel(), corners), dim=-1, eps=1e-20
    )

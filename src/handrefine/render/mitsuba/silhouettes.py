"""Silhouette sampling that is blind to the seams of a UV atlas. Import after `start_mitsuba()`.

A Mitsuba mesh has one texture coordinate a vertex, so a hand is cut open along the seams of its atlas, and
Mitsuba takes the two sides of every cut for open boundaries: for silhouettes, wherever they lie. The ray just
beyond such a boundary starts inside the hand and sees its far wall or the background, which puts false
gradients of the order of the true ones all over the hand.
"""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportReturnType=false, reportArgumentType=false

from collections.abc import Sequence

import drjit as dr
import mitsuba as mi
import numpy as np
from jaxtyping import Int

from handrefine.mesh import MeshTopology


def seam_edges(topology: MeshTopology) -> Int[np.ndarray, "seam 2"]:
    """The two directed edges (3 face + k, from the face's corner k to the next) on either side of every seam."""
    edges, faces = topology.edges
    inner = (faces >= 0).all(axis=1)
    sides = np.stack([_directed_edge(topology, edges[inner], faces[inner, side]) for side in (0, 1)], axis=1)
    corners = topology.split_faces.ravel()
    following = np.roll(topology.split_faces, -1, axis=1).ravel()
    ends = np.sort(np.stack([corners, following], axis=1), axis=1)[sides]
    return sides[(ends[:, 0] != ends[:, 1]).any(axis=-1)]


def _directed_edge(
    topology: MeshTopology, edges: Int[np.ndarray, "edge 2"], faces: Int[np.ndarray, " edge"]
) -> Int[np.ndarray, " edge"]:
    corners = topology.faces[faces]
    ends = np.sort(np.stack([corners, np.roll(corners, -1, axis=1)], axis=-1), axis=-1)
    return 3 * faces + (ends == edges[:, None]).all(axis=-1).argmax(axis=1)


class WeldedSilhouettes(mi.ad.ProjectiveDetail):
    """Projective sampling of primary silhouettes on meshes that are cut along seams, as if they were whole.

    A seam is a silhouette only where the faces on its two sides look different ways, and then it counts once,
    on the side that faces the camera. Indirect silhouettes (shadow edges) are not corrected.
    """

    def __init__(self, integrator, meshes: Sequence[mi.Mesh], topologies: Sequence[MeshTopology]) -> None:
        super().__init__(integrator)
        self._meshes = [
            (mesh, mi.UInt32(seams[:, 0]), mi.UInt32(seams[:, 1]))
            for mesh, seams in zip(meshes, map(seam_edges, topologies), strict=True)
        ]

    def init_primarily_visible_silhouette(self, scene, sensor) -> None:
        super().init_primarily_visible_silhouette(scene, sensor)
        viewpoint = sensor.world_transform() @ mi.Point3f(0)
        for index, shape in enumerate(scene.silhouette_shapes()):
            mesh, side_a, side_b = next(entry for entry in self._meshes if entry[0] == shape)
            if dr.width(side_a) == 0:
                continue
            front_a = _faces_camera(mesh, side_a // 3, viewpoint)
            front_b = _faces_camera(mesh, side_b // 3, viewpoint)
            keep = dr.full(mi.Float, 1, 3 * mesh.face_count())
            dr.scatter(keep, dr.select(front_a & ~front_b, mi.Float(1), 0), side_a)
            dr.scatter(keep, dr.select(front_b & ~front_a, mi.Float(1), 0), side_b)
            weights = self.primary_distributions[index].pmf * dr.gather(
                mi.Float, keep, self.primary_indices[index]
            )
            self.primary_distributions[index] = mi.DiscreteDistribution(weights)


def _faces_camera(mesh: mi.Mesh, face: mi.UInt32, viewpoint: mi.Point3f) -> mi.Bool:
    corners = mesh.face_indices(face)
    a, b, c = (mesh.vertex_position(corners[k]) for k in range(3))
    return dr.dot(dr.cross(b - a, c - a), viewpoint - a) > 0

"""Edges of the hands' meshes, as tables that kernels read."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass

import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology


@dataclass
class EdgeTable:
    """Edges of all hands: end points, the two faces, the vertices opposite in them, and how these are wound.

    faces: where there is no second face, the first one twice; so does `opposite`.
    corners: which of a face's corners are the end points, first + 3 * second.
    kind: bit 0: the first face runs against the edge; bit 1: so does the second; bit 2: there is no second face;
    bit 3: a seam of the UV atlas, across which the texture may jump.
    """

    count: int
    ends: "mi.UInt32"
    opposite: "mi.UInt32"
    faces: "mi.UInt32"
    corners: "mi.UInt32"
    kind: "mi.UInt32"

    @staticmethod
    def of(topologies: Sequence[MeshTopology]) -> "EdgeTable":
        first_vertex = np.cumsum([0] + [t.n_vertices for t in topologies])
        first_face = np.cumsum([0] + [len(t.faces) for t in topologies])
        columns = zip(*(_edges(t) for t in topologies), strict=True)
        offsets = (first_vertex, first_vertex, first_face, np.zeros_like(first_face), np.zeros_like(first_face))
        tables = [
            np.concatenate([table + first for table, first in zip(column, offset[:-1], strict=True)])
            for column, offset in zip(columns, offsets, strict=True)
        ]
        flat = (mi.UInt32(np.ascontiguousarray(table.astype(np.uint32).ravel())) for table in tables)
        return EdgeTable(len(tables[0]), *flat)


def _edges(topology: MeshTopology) -> tuple[np.ndarray, ...]:
    ends, adjacent = topology.edges
    owner = np.where(adjacent < 0, adjacent[:, :1], adjacent)
    opposite, corners, kind = np.zeros_like(ends), np.zeros_like(ends), np.zeros(len(ends), dtype=np.int64)
    uv_at = np.full((len(ends), 2, 2), -1)
    for side in (0, 1):
        face, uv_face = topology.faces[owner[:, side]], topology.uv_faces[owner[:, side]]
        start, stop = (np.argmax(face == ends[:, k, None], axis=1) for k in (0, 1))
        opposite[:, side] = face[np.arange(len(ends)), 3 - start - stop]
        corners[:, side] = start + 3 * stop
        kind |= np.where((start + 1) % 3 != stop, 1 << side, 0)
        uv_at[:, side] = np.stack([uv_face[np.arange(len(ends)), k] for k in (start, stop)], axis=1)
    border = adjacent[:, 1] < 0
    kind |= np.where(border, 4, 0) | np.where(~border & (uv_at[:, 0] != uv_at[:, 1]).any(axis=1), 8, 0)
    return ends, opposite, owner, corners, kind

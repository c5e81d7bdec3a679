"""Mesh connectivity: every edge once, with the faces beside it; seams split and come together again."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.mesh import MeshTopology

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


def _topology(faces: np.ndarray) -> MeshTopology:
    """Every triangle has its own three texture coordinates."""
    uv_faces = np.arange(faces.size).reshape(-1, 3)
    return MeshTopology(int(faces.max()) + 1, faces, np.random.default_rng(0).random((faces.size, 2)), uv_faces)


def _grid(rows: int, columns: int) -> np.ndarray:
    index = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack([a, b, d], -1), np.stack([a, d, c], -1)]).reshape(-1, 3)


@given(st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_edges_of_a_sheet_match_a_plain_count(rows, columns):
    faces = _grid(rows, columns)
    edges, adjacent = _topology(faces).edges
    wanted: dict[tuple[int, int], set[int]] = {}
    for number, face in enumerate(faces):
        for k in range(3):
            wanted.setdefault(tuple(sorted((int(face[k]), int(face[(k + 1) % 3])))), set()).add(number)
    found = {tuple(e): {int(f) for f in pair if f >= 0} for e, pair in zip(edges.tolist(), adjacent, strict=True)}
    assert found == wanted
    assert (adjacent[:, 0] >= 0).all()
    assert (adjacent[:, 1] < 0).sum() == 2 * (rows + columns)  # the sheet's rim
    assert len(edges) == len(wanted)


def test_a_closed_mesh_has_two_faces_an_edge():
    edges, adjacent = _topology(TETRAHEDRON).edges
    assert len(edges) == 6
    assert (adjacent >= 0).all()
    assert set(Counter(adjacent.ravel().tolist()).values()) == {3}


def test_split_vertices_keep_geometry_and_coordinates():
    faces = _grid(3, 3)
    uv_faces = faces.copy()
    uv_faces[9:] += 16  # the second half lies elsewhere in the atlas: a seam between them
    uv = np.random.default_rng(1).random((32, 2))
    topology = MeshTopology(16, faces, uv, uv_faces)
    np.testing.assert_array_equal(topology.split_to_vertex[topology.split_faces], faces)
    np.testing.assert_array_equal(topology.split_uv[topology.split_faces], uv[uv_faces])
    pairs = {(int(v), int(c)) for v, c in zip(faces.ravel(), uv_faces.ravel(), strict=True)}
    assert len(topology.split_to_vertex) == len(pairs) > 16


def test_mirroring_turns_every_triangle():
    faces = TETRAHEDRON
    verts = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])

    def volume(v: np.ndarray, f: np.ndarray) -> float:
        return float(np.einsum("fi,fi->", v[f[:, 0]], np.cross(v[f[:, 1]], v[f[:, 2]])) / 6)

    mirrored = _topology(faces).mirrored()
    assert volume(verts, faces) == pytest.approx(1 / 6)
    assert volume(verts * [-1, 1, 1], mirrored.faces) == pytest.approx(1 / 6)
    np.testing.assert_array_equal(mirrored.uv_faces[:, ::-1], _topology(faces).uv_faces)

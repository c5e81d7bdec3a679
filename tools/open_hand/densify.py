"""Split the long edges of the coarse palm, back and wrist.

With some 20 vertices around the wrist, smooth shading shows dark, angular rims where the surface turns
away. The fingers are fine enough already, so the whole mesh need not be subdivided.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from kinematics import unit
from source import HandSamples

LONGEST_EDGE = 0.008  # metres, on the mean adult


def split_long_edges(samples: HandSamples) -> HandSamples:
    """One pass: every too long edge gets a vertex in its middle, on the curved surface."""
    edges, face_edges = _edges(samples.faces)
    lengths = np.linalg.norm(np.diff(samples.vertices[0][edges], axis=1)[:, 0], axis=1)
    is_split = lengths > LONGEST_EDGE
    split = edges[is_split]
    middle = _middle_ids(is_split, samples.vertices.shape[1])[face_edges]

    uv_edges, face_uv_edges = _edges(samples.uv_faces)
    is_uv_split = np.zeros(len(uv_edges), bool)
    is_uv_split[face_uv_edges] = middle >= 0
    uv_middle = _middle_ids(is_uv_split, len(samples.uv))[face_uv_edges]

    added = np.stack([_curved_middles(vertices, samples.faces, split) for vertices in samples.vertices])
    faces, origin = _split_faces(samples.faces, middle)
    return replace(
        samples,
        vertices=np.concatenate([samples.vertices, added], 1),
        weights=np.concatenate([samples.weights, samples.weights[split].mean(1)]),
        faces=faces,
        is_hand=samples.is_hand[origin],
        uv=np.concatenate([samples.uv, samples.uv[uv_edges[is_uv_split]].mean(1)]),
        uv_faces=_split_faces(samples.uv_faces, uv_middle)[0],
    )


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Undirected edges, and per face the ids of its edges (corners 0-1, 1-2, 2-0)."""
    sides = np.stack([faces, np.roll(faces, -1, 1)], -1)
    edges, ids = np.unique(np.sort(sides.reshape(-1, 2), 1), axis=0, return_inverse=True)
    return edges, ids.reshape(-1, 3)


def _middle_ids(is_split: np.ndarray, first: int) -> np.ndarray:
    """The number of each edge's new vertex, -1 where there is none."""
    return np.where(is_split, first + np.cumsum(is_split) - 1, -1)


def _curved_middles(vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Edge middles lifted to the arc through both ends that is perpendicular to their normals."""
    corner = vertices[faces]
    face_normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(vertices)
    np.add.at(normals, faces, face_normals[:, None])
    end, normal = vertices[edges], unit(normals)[edges]
    middle = end.mean(1)
    below = ((middle[:, None] - end) * normal).sum(-1, keepdims=True) * normal
    # The mean of both tangent planes lies twice as far out as the arc.
    return middle - 0.5 * below.mean(1)


def _split_faces(faces: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace every face by 1 to 4, depending on which of its edges have a middle; and their origins."""
    result, origin = [], []
    for number, (face, middles) in enumerate(zip(faces.tolist(), middle.tolist(), strict=True)):
        pieces = _pieces(face, middles)
        result += pieces
        origin += [number] * len(pieces)
    return np.array(result), np.array(origin)


def _pieces(face: list[int], middles: list[int]) -> list[tuple[int, int, int]]:
    count = sum(middle >= 0 for middle in middles)
    if count == 0:
        return [(face[0], face[1], face[2])]
    # Turn the corners so that the odd edge out comes first.
    odd = [middle >= 0 for middle in middles].index(count != 2) if count < 3 else 0
    a, b, c = face[odd:] + face[:odd]
    ab, bc, ca = middles[odd:] + middles[:odd]
    if count == 1:
        return [(a, ab, c), (ab, b, c)]
    if count == 2:
        return [(c, ca, bc), (a, b, bc), (a, bc, ca)]
    return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]

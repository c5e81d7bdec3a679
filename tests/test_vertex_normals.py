"""Vertex normals: right on a sphere, blind to UV seams, differentiable."""

import numpy as np
import pytest
import torch

from handrefine.mesh import MeshTopology, vertex_normals


def _cube_sphere() -> tuple[torch.Tensor, MeshTopology]:
    """An octahedron subdivided to a sphere whose every edge is a seam of the atlas."""
    verts = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )  # fmt: skip
    for _ in range(4):
        triangles = verts[faces]
        middles = (triangles + triangles[:, [1, 2, 0]]) / 2
        a, b, c = triangles.swapaxes(0, 1)
        ab, bc, ca = middles.swapaxes(0, 1)
        soup = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        soup = (soup / np.linalg.norm(soup, axis=-1, keepdims=True)).reshape(-1, 3)
        verts, inverse = np.unique(soup.round(9), axis=0, return_inverse=True)
        faces = inverse.reshape(-1, 3)
    uv_faces = np.arange(3 * len(faces)).reshape(-1, 3)
    uv = np.random.default_rng(0).random((3 * len(faces), 2))
    return torch.tensor(verts), MeshTopology(len(verts), faces, uv, uv_faces)


def test_normals_of_a_sphere_point_outwards():
    verts, topology = _cube_sphere()
    normals = vertex_normals(verts, topology)
    assert (normals * verts).sum(-1).min() > np.cos(np.deg2rad(2))


def test_mirrored_topology_keeps_normals_outwards():
    verts, topology = _cube_sphere()
    mirrored = verts * verts.new_tensor([-1, 1, 1])
    assert (vertex_normals(mirrored, topology.mirrored()) * mirrored).sum(-1).min() > 0.99


def test_normals_of_a_batch_and_their_gradient():
    verts, topology = _cube_sphere()
    batch = (verts * torch.tensor([[[1.0]], [[0.05]]], dtype=verts.dtype)).requires_grad_()
    normals = vertex_normals(batch, topology)
    torch.testing.assert_close(normals[0], normals[1])
    weights = torch.randn(normals.shape, generator=torch.Generator().manual_seed(0), dtype=verts.dtype)
    (normals * weights).sum().backward()
    direction = torch.randn(batch.shape, generator=torch.Generator().manual_seed(1), dtype=verts.dtype)
    step = 1e-6
    with torch.no_grad():
        ends = [(vertex_normals(batch + s * direction, topology) * weights).sum() for s in (step, -step)]
    assert (batch.grad * direction).sum().item() == pytest.approx(
        ((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-5
    )


def test_a_vertex_without_faces_has_a_zero_normal_and_no_nan_gradient():
    topology = MeshTopology(4, np.array([[0, 1, 2]]), np.zeros((1, 2)), np.zeros((1, 3), int))
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], requires_grad=True)
    normals = vertex_normals(verts, topology)
    assert normals[3].tolist() == [0, 0, 0]
    normals.sum().backward()
    assert verts.grad.isfinite().all()

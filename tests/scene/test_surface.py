"""The person's own surface: smooth, along normals, and nothing at the start."""

import torch

from handrefine.hand.model import HandGeometry
from handrefine.mesh import vertex_normals
from handrefine.scene.surface import PersonalSurface


def posed(hand) -> HandGeometry:
    generator = torch.Generator().manual_seed(0)
    pose = 0.2 * torch.randn(2, 48, generator=generator)
    return hand(pose, torch.zeros(2, 10), torch.zeros(2, 3), flat_hand_mean=True)


def test_coefficients_are_millimetres_along_the_normals_of_any_pose(right_hand):
    surface, geometry = PersonalSurface(right_hand, 6), posed(right_hand)
    assert torch.equal(surface(geometry).verts_world, geometry.verts_world)
    with torch.no_grad():
        surface.coefficients[4] = 0.002
    moved = surface(geometry)
    offset = moved.verts_world - geometry.verts_world
    normals = vertex_normals(geometry.verts_world, right_hand.topology)
    along = (offset * normals).sum(dim=-1)
    assert torch.allclose(offset, along[..., None] * normals, atol=1e-7)
    assert torch.allclose(along[0], along[1], atol=1e-7)  # one field for all frames
    assert torch.equal(moved.joints_world, geometry.joints_world)
    assert 0.001 < along.square().mean().sqrt() < 0.003  # rms over vertices, which are not spread evenly
    along[0].sum().backward()
    assert torch.allclose(surface.coefficients.grad, surface.basis.sum(dim=0))


def test_modes_go_from_smooth_to_stiff(right_hand):
    surface = PersonalSurface(right_hand, 6)
    assert torch.allclose(surface.basis[:, 0], torch.ones(len(surface.basis)), atol=1e-4)  # inflates the hand
    assert (surface.stiffness.diff() > 0).all()
    edges = torch.as_tensor(right_hand.topology.faces)[:, :2].long()
    roughness = (surface.basis[edges[:, 0]] - surface.basis[edges[:, 1]]).square().mean(dim=0)
    assert roughness[0] < 0.01 * roughness[1]
    assert roughness[1] < roughness[5]

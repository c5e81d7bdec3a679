"""Fixtures for rendering: the open hand as plain arrays, and cameras around it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import handrefine
from handrefine.mesh import MeshTopology
from handrefine.sequence import Camera


@dataclass(frozen=True, eq=False)
class RestHand:
    """The open hand at rest, about its own centre (metres)."""

    topology: MeshTopology
    verts: torch.Tensor
    shape_directions: torch.Tensor
    weights: torch.Tensor
    joints: torch.Tensor


@pytest.fixture(scope="session")
def rest_hand() -> RestHand:
    with np.load(Path(handrefine.__file__).parent / "hand/open_hand/model.npz") as file:
        arrays = {key: file[key] for key in file}
    verts = torch.as_tensor(arrays["v_template"], dtype=torch.float32)
    centre = verts.mean(0)
    joints = torch.as_tensor(arrays["J_regressor"], dtype=torch.float32) @ verts
    return RestHand(
        topology=MeshTopology(len(verts), arrays["f"], arrays["vt"], arrays["ft"]),
        verts=verts - centre,
        shape_directions=torch.as_tensor(arrays["shapedirs"], dtype=torch.float32),
        weights=torch.as_tensor(arrays["weights"], dtype=torch.float32),
        joints=joints - centre,
    )


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

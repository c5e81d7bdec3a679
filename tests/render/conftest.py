"""The open hand, read as plain arrays, so that rendering is tested without the hand model."""

from pathlib import Path

import numpy as np
import pytest
import torch
from render_scenes import RestHand

import handrefine
from handrefine.mesh import MeshTopology


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

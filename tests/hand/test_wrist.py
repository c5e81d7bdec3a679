"""A hand that is drawn up to its wrist."""

import numpy as np
import pytest
import torch

from handrefine.hand.model import load_hand_model
from handrefine.hand.wrist import up_to_wrist, wrist_crease
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST, Side


@pytest.mark.parametrize("side", ["right", "left"])
def test_nothing_is_drawn_past_the_creases_and_everything_before_them(side: Side) -> None:
    model = load_hand_model(side)
    flat = model.flat()
    verts, joints = flat.verts_world[0].numpy(), flat.joints_world[0].numpy()
    axis = joints[WRIST] - joints[MIDDLE_KNUCKLE]
    past_m = (verts - wrist_crease(joints)) @ axis / np.linalg.norm(axis)
    drawn = model.drawn_topology(end_at_wrist=True)
    edge_m = np.linalg.norm(verts[drawn.edges[0][:, 0]] - verts[drawn.edges[0][:, 1]], axis=1).max()
    assert past_m.max() > 0.03
    assert 0 < past_m[drawn.faces].max() < edge_m
    assert len(drawn.faces) == (past_m[model.topology.faces].min(axis=1) <= 0).sum()
    assert model.drawn_topology(end_at_wrist=False) is model.topology


def test_a_posed_hand_is_cut_like_the_flat_one() -> None:
    model = load_hand_model("right")
    pose = 0.3 * torch.randn(1, 48, generator=torch.Generator().manual_seed(0))
    posed = model(pose, torch.zeros(1, 10), torch.full((1, 3), 0.2))
    drawn = up_to_wrist(model.topology, posed.verts_world[0].numpy(), posed.joints_world[0].numpy())
    assert abs(len(drawn.faces) - len(model.drawn_topology(end_at_wrist=True).faces)) < 20

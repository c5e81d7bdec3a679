"""The axes about which fingers bend."""

import pytest
import torch

from handrefine.hand.anatomy import joint_axes
from handrefine.hand.model import JOINT_ORDER, load_hand_model
from handrefine.sequence import JOINT_NAMES, Side


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
def test_a_finger_bends_towards_the_palm(side: Side, finger: str) -> None:
    hand = load_hand_model(side)
    axes = joint_axes(hand)
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3, dtype=axes.dtype).expand(15, 3, 3), atol=1e-5, rtol=0)
    flat = -hand.hands_mean

    def tip(angles: torch.Tensor) -> torch.Tensor:
        pose = torch.cat([angles.new_zeros(3), angles])[None]
        return hand.joints(pose, angles.new_zeros(1, 10), angles.new_zeros(1, 3))[
            0, JOINT_NAMES.index(f"{finger}4")
        ]

    knuckle = JOINT_ORDER[JOINT_NAMES.index(f"{finger}1")] - 1
    bent = flat.clone().unflatten(0, (15, 3))
    bent[knuckle] += 0.5 * axes[knuckle, 0]
    moved = tip(bent.flatten()) - tip(flat)
    assert moved[1] < -0.02  # MANO's back of the hand looks along +y
    assert moved[1].abs() > 0.8 * moved.norm()

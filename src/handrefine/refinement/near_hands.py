"""A hand that is refined alone beside another one that is annotated: both together say more."""

import logging

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.sequence import Side

log = logging.getLogger(__name__)
#: Smallest distance of two hands' joints up to which they hide one another in some view, metres.
NEAR_M = 0.1


def suggest_both(
    side: Side, joints_world: Float[Tensor, "frame 21 3"], others_world: Float[Tensor, "frame 21 3"] | None
) -> int:
    """Warn where the other hand is near; returns at how many frames it is.

    Args:
        joints_world: of the hand that is refined. others_world: of the one that is not, NaN where it is unknown.
    """
    if others_world is None:
        return 0
    known = torch.isfinite(others_world).all(dim=-1).all(dim=-1) & torch.isfinite(joints_world).all(-1).all(-1)
    if not bool(known.any()):
        return 0
    nearest_m = torch.cdist(joints_world[known].float(), others_world[known].float()).amin(dim=(1, 2))
    near = int((nearest_m < NEAR_M).sum())
    if near:
        log.warning(
            "at %d frames the other hand is annotated and within %.0f mm of the %s one: everything around it is"
            " unknown; --hand both refines both together",
            near,
            1e3 * NEAR_M,
            side,
        )
    return near

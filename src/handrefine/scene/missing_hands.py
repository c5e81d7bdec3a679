"""Several hands in one scene of which some are missing at some frames."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.model import HandGeometry
from handrefine.sequence import JOINT_NAMES

#: Size of a missing hand: a grain inside the palm of one that is there, where no camera sees it.
GRAIN = 1e-3
_PALM = [JOINT_NAMES.index(name) for name in ("wrist", "index1", "middle1", "pinky1")]


def with_grains(geometries: Sequence[HandGeometry]) -> list[Float[Tensor, "frame _ 3"]]:
    """Vertices of every hand at all frames; a missing hand (NaN) is a grain inside one that is there.

    A renderer needs every hand at every frame. The grain is no part of any render and takes no gradient.
    """
    present = [torch.isfinite(geometry.joints_world).flatten(1).all(dim=1) for geometry in geometries]
    if all(bool(here.all()) for here in present):
        return [geometry.verts_world for geometry in geometries]
    palms = [geometry.joints_world[:, _PALM].mean(dim=1, keepdim=True).detach() for geometry in geometries]
    palm = palms[0]
    for other in palms[1:]:
        palm = torch.where(torch.isfinite(palm), palm, other)
    filled = []
    for geometry, here in zip(geometries, present, strict=True):
        any_pose = geometry.verts_world[here][:1].detach()
        grain = palm + GRAIN * (any_pose - any_pose.mean(dim=1, keepdim=True))
        filled.append(torch.where(here[:, None, None], geometry.verts_world, grain))
    return filled

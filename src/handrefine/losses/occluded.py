"""Where no image shows a joint's surface, the annotation is all that is known of it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

#: Share of a joint's surface, foreshortened, from which on it counts as well seen. One camera before a finger sees
#: 1 / pi of it.
WELL_SEEN = 0.25
#: Radians of corrective that cost 1 at a joint that nobody sees.
TIE_SCALE = 0.1


def hidden_share(
    seen_area: Float[Tensor, "frame face"],
    area: Float[Tensor, "frame face"],
    influence: Float[Tensor, "face 16"],
    parents: Sequence[int],
) -> Float[Tensor, "frame 15"]:
    """How little the cameras see of what each finger joint moves: 0 is well seen, 1 not at all.

    A joint moves its own surface and that of all joints after it. With a the area of triangle f, s what the camera
    that sees it best sees of it, and w the influence of those joints on it, `share = sum s w / sum a w`, and the
    result is `1 - min(share / 0.25, 1)`.

    Args:
        seen_area: per triangle the largest visible area times cosine among the cameras.
        influence: skinning weights of a triangle's corners, averaged.
        parents: of the 16 joints in MANO's order; the root's is ignored.
    """
    below = torch.eye(16, dtype=influence.dtype, device=influence.device)
    for joint in range(15, 0, -1):
        below[parents[joint]] += below[joint]
    moved = influence @ below[1:].T
    share = (seen_area @ moved) / (area @ moved).clamp(min=1e-12)
    return 1 - (share / WELL_SEEN).clamp(max=1)


def annotation_tie(
    corrective_aa: Float[Tensor, "frame 45"], weight: Float[Tensor, "frame 15"]
) -> Float[Tensor, ""]:
    """`mean over frames and joints of w |corrective / 0.1 rad|^2`: the angles' change from the annotation."""
    squared = (corrective_aa.unflatten(1, (15, 3)) / TIE_SCALE).square().sum(dim=-1)
    return (weight * squared).mean()

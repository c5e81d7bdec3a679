"""How thick a hand is around its bones: capsules that stay inside its skin."""

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.sequence import BONES

#: Quantile of the skin's distances from its bone that is taken as the radius.
QUANTILE = 0.5
#: Skin presses flat and bones do not run in the middle: capsules are thinner than the hand by this factor.
FIRM = 0.7


@torch.no_grad()
def bone_radii(model: HandModel, shape: Float[Tensor, "10"] | None = None) -> Float[Tensor, "20"]:
    """Radii in metres of capsules around `BONES`, measured on the flat hand of the given shape (or the mean one).

    Every vertex belongs to the bone that is nearest to it. A bone's radius is 0.7 times the median of the
    distances of the vertices beside it, those whose nearest point is not one of its ends.
    """
    mean = model.hands_mean
    betas = mean.new_zeros(1, 10) if shape is None else shape[None].to(mean)
    flat = model(mean.new_zeros(1, 48), betas, mean.new_zeros(1, 3), flat_hand_mean=True)
    ends = flat.joints_world[0][torch.tensor(BONES, device=mean.device)]
    start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    from_start = flat.verts_world[0][:, None] - start
    place = (from_start * along).sum(dim=-1) / along.square().sum(dim=-1)
    distance = torch.linalg.vector_norm(from_start - place.clamp(0, 1)[..., None] * along, dim=-1)
    nearest = distance.argmin(dim=1)
    radii = []
    for bone in range(len(BONES)):
        beside = (nearest == bone) & (place[:, bone] > 0) & (place[:, bone] < 1)
        own = distance[beside, bone] if beside.any() else distance[:, bone].min()[None]
        radii.append(FIRM * own.quantile(QUANTILE))
    return torch.stack(radii)

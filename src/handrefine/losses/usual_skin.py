"""Skin has one hue: a texture that takes another's is painted by what is not hand."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import euclidean
from handrefine.rasterise import rasterise

#: Side of the texture on which hues are compared: patches of some 3 mm; nails and veins are finer.
SIDE = 64
#: Share of the usual reflectance by which skin may leave its usual hue for nothing; less than a hundredth does.
FREE = 0.12
#: Further share that costs 1.
SCALE = 0.1


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UsualSkinConfig:
    """Patches of the texture have the hue of the rest."""

    weight: NonNegativeFloat = 0.0
    """Weight in the objective. A patch keeps another hue where more than weight / 0.1 of what its pixels pull with
    asks for it: tattoos and gloves stay, a background that a misplaced finger covers now and then does not."""

    def build(self, setup: Setup) -> "UsualSkinTerm":
        device = setup.observations.image.device
        return UsualSkinTerm(tuple(used_texels(hand, SIDE).to(device) for hand in setup.hands))


@dataclass(frozen=True, eq=False)
class UsualSkinTerm:
    """`mean over patches of max(0, |t - p(t)| / |m| - 0.12) / 0.1`.

    t are a hand's patches, m is their median, p(t) the nearest colour that skin may have (`skin_like`).
    Light, shadow and gloss cost nothing. Beyond the free part the pull is constant, so that pixels which agree can
    outweigh it. m is taken as it is, without a gradient.

    used: of every hand, the texels that its surface has.
    """

    used: tuple[Bool[Tensor, "side side"], ...]
    reads = ("texture",)
    judges_frames = False

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a patch."""
        hands = iterate.model.hands
        blocks = []
        for hand, used in zip(hands, self.used, strict=True):
            patches = hand.texture.patches(SIDE)[:, used].flatten(0, 1)
            usual = patches.detach().median(dim=0).values
            size = usual.square().sum().clamp(min=1e-6).sqrt()
            beside = (patches - skin_like(patches.detach(), usual)) / size
            far = torch.linalg.vector_norm(beside, dim=1, keepdim=True)
            # Rescaled instead of masked: inside the free part neither value nor gradient is left.
            beyond = beside * torch.where(far > FREE, 1 - FREE / far.clamp(min=FREE), torch.zeros_like(far))
            blocks.append(Residuals(beyond / SCALE, euclidean, count=float(len(patches) * len(hands))))
        return blocks


def skin_like(colours: Float[Tensor, "colour 3"], usual: Float[Tensor, "3"]) -> Float[Tensor, "colour 3"]:
    """The nearest of `a usual + b white`, a and b at least 0: skin in any light and below any gloss.

    Since a cone's projection has no part along the difference, the distance's gradient is as if it were constant.
    """
    white = torch.ones_like(usual)
    gram = torch.stack([torch.stack([u @ v for v in (usual, white)]) for u in (usual, white)])
    gram = gram + 1e-6 * torch.eye(2).to(gram)
    a, b = torch.linalg.solve(gram, torch.stack([colours @ usual, colours @ white])).unbind(dim=0)
    alone_a = (colours @ usual / gram[0, 0]).clamp(min=0)
    alone_b = (colours @ white / gram[1, 1]).clamp(min=0)
    a, b = (
        torch.where(b < 0, alone_a, torch.where(a < 0, 0, a)),
        torch.where(a < 0, alone_b, torch.where(b < 0, 0, b)),
    )
    return a[:, None] * usual + b[:, None] * white


def used_texels(hand: HandModel, side: int) -> Bool[Tensor, "{side} {side}"]:
    """Texels of a square texture whose centre lies on the hand's atlas; row 0 is the top."""
    used = np.zeros(side * side, dtype=bool)
    used[rasterise(hand.topology.uv_texels(side)[hand.topology.uv_faces], side, side).pixel] = True
    return torch.from_numpy(used.reshape(side, side))

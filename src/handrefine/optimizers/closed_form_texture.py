"""The texture that pictures ask for at a pose: weighted means, from coarse texels to fine ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from handrefine.optimizers.seen_skin import SeenSkin, robust, sampled, texels, texture_rows
from handrefine.scene.texture import COARSEST, TexturePyramid
from handrefine.scene.video_model import VideoModel

#: Shading below which a pixel says nothing of the reflectance.
LEAST_SHADING = 0.02
#: The usual hold.
HOLD_PX = 4.0


@dataclass(frozen=True)
class Levels:
    """How far a fit goes into detail.

    lowest: how many of a texture's levels take part. hold_px: a texel stays as its coarser level has it as firmly
        as by so many pixels, at the finest level. sweeps: how often what interpolation misses is fitted again.
    """

    lowest: int
    hold_px: float = HOLD_PX
    sweeps: int = 1


@torch.no_grad()
def fit_textures(
    model: VideoModel,
    skin: SeenSkin,
    shading: Float[Tensor, "point 3"],
    wanted: Float[Tensor, "point 3"],
    levels: Levels,
    *,
    onto: tuple[Float[Tensor, "point 3"], float] | None = None,
) -> None:
    """Fit every hand's texture to `wanted / shading`, in place and without memory of the texture before.

    `onto`, its values at the points and a share, takes the texture on from where it is instead, by that share of
    what the render still misses: for hands that stand still. Pictures are averages over pixels, which points at
    their centres are not, and shares that fall average the noise of renders.

    A pixel counts by `shading^2`, as in least squares of `wanted - shading * texture`, and less where the texture
    now misses by much. Sums over pixels at the finest enabled level are pooled into the coarser ones, and from
    coarse to fine each level takes what the coarser ones leave: pull and push (Gortler et al., "The Lumigraph",
    1996).
    """
    reflectance = (wanted / shading.clamp(min=LEAST_SHADING)).clamp(-0.2, 1.5)
    grey = shading.mean(dim=1)
    weight = skin.weight * grey.square() * robust((wanted - skin.shown).abs().amax(dim=1))
    unit = float(grey.square().mean())
    if onto is not None:
        albedo, share = onto
        reflectance = share * (reflectance - albedo)
    textures = list(dict.fromkeys(hand.texture for hand in model.hands))
    for texture in textures:
        hands = [k for k, hand in enumerate(model.hands) if hand.texture is texture]
        chosen, rows = _points_of(model, skin, hands)
        if len(chosen):
            _fit(
                texture,
                (skin.points.uv[chosen], rows),
                reflectance[chosen],
                weight[chosen] / max(unit, 1e-12),
                replace(levels, lowest=min(levels.lowest, texture.n_levels)),
                anew=onto is None,
            )


def _points_of(model: VideoModel, skin: SeenSkin, hands: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Indices of the points of some hands, and which texture each has."""
    chosen, rows = [], []
    for k in hands:
        of_hand = (skin.points.hand == k).nonzero()[:, 0]
        chosen.append(of_hand)
        rows.append(texture_rows(model, skin.points.select(of_hand), k))
    return torch.cat(chosen), torch.cat(rows)


def _fit(
    texture: TexturePyramid,
    where: tuple[Tensor, Tensor],
    reflectance: Float[Tensor, "point 3"],
    weight: Float[Tensor, " point"],
    levels: Levels,
    *,
    anew: bool,
) -> None:
    uv, rows = where
    n, size = texture.n_textures, COARSEST << (levels.lowest - 1)
    index, shares = texels(uv, rows, size)
    mean = reflectance.new_zeros(n, 4).index_add_(
        0, rows, torch.cat([reflectance * weight[:, None], weight[:, None]], dim=1)
    )
    mean = (mean[:, :3] / mean[:, 3:].clamp(min=1e-12))[..., None, None]
    for level in texture.levels if anew else ():
        level.zero_()
    texture.levels[0].add_(mean)
    counts = _splatted(weight[:, None], index, shares, n, size)
    missing = reflectance - mean[rows, :, 0, 0]
    for sweep in range(levels.sweeps):
        sums = _splatted(missing * weight[:, None], index, shares, n, size)
        for level, change in zip(texture.levels, _pull_push(sums, counts, levels), strict=False):
            level.add_(change)
        if sweep + 1 < levels.sweeps:
            whole = _unclamped(texture, levels.lowest).permute(0, 2, 3, 1)
            missing = reflectance - sampled(whole, uv, rows)


def _splatted(
    values: Float[Tensor, "point channel"], index: Tensor, shares: Tensor, n: int, size: int
) -> Float[Tensor, "texture channel size size"]:
    total = values.new_zeros(n * size * size, values.shape[1])
    for k in range(4):
        total.index_add_(0, index[:, k], values * shares[:, k, None])
    return total.reshape(n, size, size, -1).permute(0, 3, 1, 2)


def _pull_push(
    sums: Float[Tensor, "texture 3 size size"],
    counts: Float[Tensor, "texture 1 size size"],
    levels: Levels,
) -> list[Tensor]:
    """What every level adds, coarsest first."""
    pooled = [torch.cat([sums, counts], dim=1)]
    for _ in range(levels.lowest - 1):
        pooled.append(4 * avg_pool2d(pooled[-1], 2))
    changes: list[Tensor] = []
    total = sums.new_zeros(len(sums), 3, COARSEST // 2, COARSEST // 2)
    for k, of_level in enumerate(reversed(pooled)):
        hold = levels.hold_px * (0.02 if k < 2 else 0.25 if k < 4 else 1.0)
        total = interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
        wanted, count = of_level[:, :3], of_level[:, 3:]
        changes.append((wanted - count * total) / (count + hold))
        total = total + changes[-1]
    return changes


def _unclamped(texture: TexturePyramid, levels: int) -> Float[Tensor, "texture 3 size size"]:
    total: Tensor = texture.levels[0]
    for level in list(texture.levels)[1:levels]:
        total = interpolate(total, scale_factor=2, mode="bilinear", align_corners=False) + level
    return total

"""The hand's reflectance as a sum of levels of detail."""

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from handrefine.errors import InputError
from handrefine.scene.clamping import returning_clamp
from handrefine.scene.doubling import doubled

COARSEST = 8
Share = Annotated[float, Field(ge=0, le=1)]


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TextureConfig:
    """The hands' reflectance."""

    size: PositiveInt = 1024
    """Side of the texture in texels: 8 times a power of two. 1024 gives the paper's 8 levels of detail."""
    initial: tuple[Share, Share, Share] = (0.5, 0.5, 0.5)
    """Linear RGB reflectance at the start. Red skin in white light looks like grey skin in red light, so that skin
    mostly keeps the hue that it begins with."""
    seldom_seen: NonNegativeFloat = 0.1
    """In the end, texels that fewer pixels look at than this share of the usual follow their coarser levels."""


class TexturePyramid(nn.Module):
    """Linear RGB reflectance, the sum of levels of 8x8, 16x16, ... size x size texels (3.4.1 of the paper).

    Enabling the lowest levels only makes a smooth texture, which explains colour before it can explain misplaced
    detail. Every level is brought to full size by repeated bilinear doubling,
    `texture = l_n + up(l_(n-1) + up(l_(n-2) + ...))`, which costs a third of a direct resize of every level and
    interpolates a coarse level more smoothly. A level of zeros changes nothing, so enabling one never jumps.

    Args:
        size: side of the finest level in texels, 8 times a power of two; 1024 gives the paper's 8 levels.
        initial: one reflectance everywhere at the start, held by the coarsest level.
        n_textures: one texture for all frames, or one a frame.

    Raises:
        InputError: the size is not 8 times a power of two, or the initial reflectance is outside [0, 1].
    """

    def __init__(self, size: int, *, initial: Sequence[float] = (0.5, 0.5, 0.5), n_textures: int = 1) -> None:
        super().__init__()
        ratio = size // COARSEST
        if size % COARSEST or ratio < 1 or ratio & (ratio - 1):
            raise InputError(
                "a texture's size must be 8 times a power of two",
                where="texture.size",
                found=size,
                fix="use 256, 512 or 1024",
            )
        if not all(0 <= of <= 1 for of in initial):
            raise InputError("a reflectance lies between 0 and 1", where="texture.initial", found=initial)
        self.size, self.n_textures = size, n_textures
        sides = [COARSEST << k for k in range(ratio.bit_length())]
        # Channels last in memory, as renderers read textures.
        layout = torch.channels_last
        self.levels = nn.ParameterList(
            torch.zeros(n_textures, 3, side, side).contiguous(memory_format=layout) for side in sides
        )
        with torch.no_grad():
            self.levels[0].copy_(torch.tensor(initial)[:, None, None])
        self._still: tuple[tuple, Tensor] | None = None  # the last texture without a gradient, and of what it is

    @property
    def n_levels(self) -> int:
        return len(self.levels)

    def forward(self, n_levels: int | None = None) -> Float[Tensor, "texture_frame height width 3"]:
        """The texture made of the lowest `n_levels` levels (None, or more than there are: all), in [0, 1].

        Differentiable in the enabled levels; outside [0, 1] only gradients that lead back pass
        (`returning_clamp`). Always of full size; row 0 is the top of the image. Levels that have not changed and
        ask for no gradient give the same tensor again: leave it as it is.
        """
        enabled = self.n_levels if n_levels is None else n_levels
        if enabled < 1:
            raise InputError("a texture needs at least one level of detail", found=enabled)
        if torch.is_grad_enabled() and any(level.requires_grad for level in self.levels):
            return self._summed(enabled)
        now = (enabled, *((level.data_ptr(), level._version) for level in self.levels))
        if self._still is None or self._still[0] != now:
            self._still = now, self._summed(enabled)
        return self._still[1]

    def patches(self, side: int) -> Float[Tensor, "texture_frame {side} {side} 3"]:
        """The sum of the levels of at most `side` texels (8 times a power of two), at that size and unclamped."""
        return self._added(self.n_levels, side)

    @torch.no_grad()
    def begin_at(self, texture: Float[Tensor, "height width 3"]) -> None:
        """Make the levels add up to this texture: each is its mean at that level's size, less the coarser ones."""
        wanted = texture.permute(2, 0, 1)[None]
        if wanted.shape[-1] >= self.size:
            wanted = adaptive_avg_pool2d(wanted, self.size)
        else:
            wanted = interpolate(wanted, size=(self.size, self.size), mode="bilinear", align_corners=False)
        coarser = None
        for level in self.levels:
            mean = avg_pool2d(wanted, self.size // level.shape[-1])
            level.copy_(mean if coarser is None else mean - _channels_first(doubled(_channels_last(coarser))))
            coarser = mean

    def _summed(self, enabled: int) -> Float[Tensor, "texture_frame height width 3"]:
        return returning_clamp(self._added(enabled, self.size), 0.0, 1.0)

    def _added(self, enabled: int, side: int) -> Float[Tensor, "texture_frame {side} {side} 3"]:
        """The lowest `enabled` levels of at most `side` texels, at that size."""
        total = _channels_last(self.levels[0])
        for k in range(1, (side // COARSEST).bit_length()):
            total = doubled(total)
            if k < min(enabled, self.n_levels):
                total = total + _channels_last(self.levels[k])
        return total


def _channels_last(texture: Float[Tensor, "texture 3 side side"]) -> Float[Tensor, "texture side side 3"]:
    return texture.permute(0, 2, 3, 1)


def _channels_first(texture: Float[Tensor, "texture side side 3"]) -> Float[Tensor, "texture 3 side side"]:
    return texture.permute(0, 3, 1, 2)

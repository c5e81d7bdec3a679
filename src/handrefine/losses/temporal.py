"""The temporal prior: an articulation should be what a bilateral filter over time makes of it (Eq. 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.errors import InputError
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import euclidean
from handrefine.sequence import FrameId


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TemporalConfig:
    """Articulation against its bilateral filter over time (Eq. 4)."""

    weight: NonNegativeFloat = 0.03
    """Weight in the objective; the paper's 1 is that of a sum over pixels, ours of a mean."""
    window: PositiveInt = 3
    """Window of the bilateral filter, in frames."""
    sigma: PositiveFloat = 0.6
    """Value scale of the bilateral filter, in radians."""
    a: PositiveFloat = 0.5
    """Temporal scale of the bilateral filter, in median gaps."""
    order: Literal[0, 1] = 1
    """What the filter fits to its window: 0 a mean (Eq. 4), 1 a line, so that uneven gaps do no harm."""

    def build(self, setup: Setup) -> "TemporalTerm | None":
        if self.window % 2 == 0:
            raise InputError(
                "the filter's window must be an odd number", where="losses.temporal.window", found=self.window
            )
        moving = any(len(frames) > 1 for frames in setup.frames)
        return TemporalTerm(self, setup.frames) if moving else None


@dataclass(frozen=True, eq=False)
class TemporalTerm:
    """`|a - BF(a)|`: the mean over hands that move, frames and joints of the Euclidean norm, in radians."""

    config: TemporalConfig
    frames: tuple[tuple[FrameId, ...], ...]
    reads = ("articulation",)
    judges_frames = False

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand that moves, a residual a joint and frame. Zero gradient at joints that equal their
        filtered value; none where fewer frames than the window are there."""
        moving = [k for k, frames in enumerate(self.frames) if len(frames) > 1]
        blocks = []
        for k in moving:
            rough = roughness(iterate.model.hands[k].pose.articulation_aa(), self.frames[k], self.config)
            blocks.append(Residuals(rough, euclidean, count=float(max(len(rough), 1) * len(moving))))
        return blocks


def roughness(
    articulation_aa: Float[Tensor, "frame 45"], frames: Sequence[FrameId], config: TemporalConfig
) -> Float[Tensor, "residual 3"]:
    """`a - BF(a)` of every joint at every frame whose window is complete.

    frames: frame numbers, ascending, with gaps. Time is counted in the median gap, so that evenly spaced frames
        are 1 apart whatever the numbers' stride, and a neighbour beyond a longer gap weighs less.
    """
    if len(articulation_aa) < max(config.window, 2):
        return articulation_aa[:0, :3]
    numbers = torch.tensor(list(frames), dtype=articulation_aa.dtype, device=articulation_aa.device)
    time = numbers / numbers.diff().median().clamp(min=1e-6)
    joints = articulation_aa.unflatten(1, (-1, 3))
    half, smooth = config.window // 2, bilateral_filter(joints, time, config)
    return (joints[half : len(joints) - half] - smooth).flatten(0, 1)


def bilateral_filter(
    values: Float[Tensor, "frame group dof"], time: Float[Tensor, " frame"], config: TemporalConfig
) -> Float[Tensor, "inner_frame group dof"]:
    """What the window's frames s around t say of t, for each group of dofs, with gaps `g_s = time_s - time_t`
    and weights `w_ts = exp(-g_s^2 / (2 a^2)) exp(-|x_s - x_t|^2 / (2 sigma^2))`.

    Order 0 is Eq. 4, their mean `sum_s w_ts x_s / sum_s w_ts`, which at uneven gaps lies nearer to the nearer
    neighbour, however steady the motion. Order 1 is the weighted fit of a line (Cleveland 1979), evaluated at t:

        BF(x)_t = x_t + (S_2 sum_s w_ts d_s - S_1 sum_s w_ts g_s d_s) / (S_0 S_2 - S_1^2),

    `d_s = x_s - x_t` and `S_k = sum_s w_ts g_s^k`. Both are the same where weights are symmetric.

    Only frames whose window is complete are filtered: at the ends a one-sided line tells nothing.

    Differentiable in the values; the weights are constants to the gradient. Their own derivative rewards moving
    neighbours apart until they no longer count, which turns jitter of about sigma into jumps.
    """
    window, a, sigma = config.window, config.a, config.sigma
    if window == 1:
        return values
    inner = max(len(values) - window + 1, 0)
    half = window // 2
    centre, centre_time = values[half : half + inner], time[half : half + inner]
    neighbours = [k for k in range(window) if k != half]
    gaps = torch.stack([time[k : k + inner] - centre_time for k in neighbours])[..., None, None]
    steps = torch.stack([values[k : k + inner] for k in neighbours]) - centre
    distances = steps.detach().square().sum(dim=-1, keepdim=True)
    weights = torch.exp(-gaps.square() / (2 * a**2) - distances / (2 * sigma**2))
    if config.order == 0:
        return centre + (weights * steps).sum(dim=0) / (1 + weights.sum(dim=0))
    first, second = (weights * gaps).sum(dim=0), (weights * gaps.square()).sum(dim=0)
    slope, total = (weights * gaps * steps).sum(dim=0), (weights * steps).sum(dim=0)
    # The frame itself has weight 1 at gap 0. With one neighbour in reach the line runs through both.
    determinant = (1 + weights.sum(dim=0)) * second - first.square()
    return centre + (second * total - first * slope) / determinant.clamp(min=1e-12)

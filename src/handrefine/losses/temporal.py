"""The temporal prior: an articulation should be what a bilateral filter over time makes of it (Eq. 4)."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError


def bilateral_filter(
    values: Float[Tensor, "frame group dof"],
    time: Float[Tensor, " frame"],
    *,
    window: int = 3,
    sigma: float = 0.6,
    a: float = 0.5,
    order: Literal[0, 1] = 1,
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

    Raises:
        InputError: the window is not an odd number.
    """
    if window % 2 == 0 or window < 1:
        raise InputError("the filter's window must be an odd number", where="objective.prior_window", found=window)
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
    if order == 0:
        return centre + (weights * steps).sum(dim=0) / (1 + weights.sum(dim=0))
    first, second = (weights * gaps).sum(dim=0), (weights * gaps.square()).sum(dim=0)
    slope, total = (weights * gaps * steps).sum(dim=0), (weights * steps).sum(dim=0)
    # The frame itself has weight 1 at gap 0. With one neighbour in reach the line runs through both.
    determinant = (1 + weights.sum(dim=0)) * second - first.square()
    return centre + (second * total - first * slope) / determinant.clamp(min=1e-12)


def temporal_prior(
    articulation_aa: Float[Tensor, "frame 45"],
    frames: Sequence[int],
    *,
    window: int = 3,
    sigma: float = 0.6,
    a: float = 0.5,
    order: Literal[0, 1] = 1,
) -> Float[Tensor, ""]:
    """`||a - BF(a)||`: the mean over frames and joints of the Euclidean norm per joint, in radians.

    frames: frame numbers, ascending, with gaps. Time is counted in the median gap, so that evenly spaced frames
        are 1 apart whatever the numbers' stride, and a neighbour beyond a longer gap weighs less.
    sigma: value scale in radians; a: temporal scale in gaps; order: of the filter's fit.

    0 when fewer frames than the window are given. Zero gradient at joints that equal their filtered value.
    """
    if len(articulation_aa) < max(window, 2):
        return articulation_aa.sum() * 0
    numbers = torch.tensor(list(frames), dtype=articulation_aa.dtype, device=articulation_aa.device)
    time = numbers / numbers.diff().median().clamp(min=1e-6)
    joints = articulation_aa.unflatten(1, (-1, 3))
    smooth = bilateral_filter(joints, time, window=window, sigma=sigma, a=a, order=order)
    half = window // 2
    return torch.linalg.vector_norm(joints[half : len(joints) - half] - smooth, dim=-1).mean()

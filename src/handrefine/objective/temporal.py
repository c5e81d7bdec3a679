"""The temporal prior: an articulation should be what a bilateral filter over time makes of it (Eq. 4)."""

from collections.abc import Sequence

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
) -> Float[Tensor, "inner_frame group dof"]:
    """`BF(x)_t = sum_s w_ts x_s / sum_s w_ts` over the window's instants s around t, for each group of dofs, with
    `w_ts = exp(-(time_s - time_t)^2 / (2 a^2)) exp(-|x_s - x_t|^2 / (2 sigma^2))`.

    Only instants whose window is complete are filtered: at the ends a one-sided mean would drag every steady
    motion back.

    Differentiable in the values; the weights are constants to the gradient. Their own derivative rewards moving
    neighbours apart until they no longer count, which turns jitter of about sigma into jumps.

    Raises:
        InputError: the window is not an odd number.
    """
    if window % 2 == 0 or window < 1:
        raise InputError("the filter's window must be an odd number", where="objective.prior_window", found=window)
    inner = max(len(values) - window + 1, 0)
    half = window // 2
    centre, centre_time = values[half : half + inner], time[half : half + inner]
    total, weight_sum = torch.zeros_like(centre), torch.zeros_like(centre[..., :1])
    for k in range(window):
        neighbour, gap = values[k : k + inner], time[k : k + inner] - centre_time
        distance = (neighbour - centre).detach().square().sum(dim=-1, keepdim=True)
        weight = torch.exp(-(gap.square() / (2 * a**2))[:, None, None] - distance / (2 * sigma**2))
        total, weight_sum = total + weight * neighbour, weight_sum + weight
    return total / weight_sum


def temporal_prior(
    articulation_aa: Float[Tensor, "frame 45"],
    frames: Sequence[int],
    *,
    window: int = 3,
    sigma: float = 0.6,
    a: float = 0.5,
) -> Float[Tensor, ""]:
    """`||a - BF(a)||`: the mean over instants and joints of the Euclidean norm per joint, in radians.

    frames: frame numbers, ascending, with gaps. Time is counted in the median gap, so that evenly spaced instants
        are 1 apart whatever the numbers' stride, and a neighbour beyond a longer gap weighs less.
    sigma: value scale in radians; a: temporal scale in gaps.

    0 when fewer instants than the window are given. Zero gradient at joints that equal their filtered value.
    """
    if len(articulation_aa) < max(window, 2):
        return articulation_aa.sum() * 0
    numbers = torch.tensor(list(frames), dtype=articulation_aa.dtype, device=articulation_aa.device)
    time = numbers / numbers.diff().median().clamp(min=1e-6)
    joints = articulation_aa.unflatten(1, (-1, 3))
    smooth = bilateral_filter(joints, time, window=window, sigma=sigma, a=a)
    half = window // 2
    return torch.linalg.vector_norm(joints[half : len(joints) - half] - smooth, dim=-1).mean()

"""The affine map that best takes one set of colours to another."""

import torch
from jaxtyping import Float
from torch import Tensor


def apply_transform(matrix: Float[Tensor, "3 4"], rgb: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """`M rgb + b` with `matrix = [M | b]`."""
    return rgb @ matrix[:, :3].T + matrix[:, 3]


def fit_colour_transform(
    source: Float[Tensor, "pixel 3"],
    target: Float[Tensor, "pixel 3"],
    weights: Float[Tensor, " pixel"] | None = None,
) -> Float[Tensor, "3 4"]:
    """The `[M | b]` that minimises `sum_i w_i |M source_i + b - target_i|^2`, in closed form (inside Eq. 5).

    Where the colours do not determine it (fewer than four of them in general position), the solution nearest to
    the identity is given. Differentiable where they do.
    """
    x = torch.cat([source, torch.ones_like(source[:, :1])], dim=1).double()
    residual = (target - source).double()
    weighted = x if weights is None else x * weights[:, None].double()
    correction = torch.linalg.pinv(weighted.T @ x, rtol=1e-10, hermitian=True) @ (weighted.T @ residual)
    identity = torch.eye(3, 4, dtype=torch.float64, device=source.device)
    return (identity + correction.T).to(source.dtype)

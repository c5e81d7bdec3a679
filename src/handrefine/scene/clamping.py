"""A clamp that a variable can come back through."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        clamped = x.clamp(low, high)
        ctx.save_for_backward(clamped - x)
        return clamped

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        # A descent step goes against the gradient, so it leads further out where that points inside.
        (inwards,), grad = ctx.saved_tensors, grad_outputs[0]
        return grad.masked_fill(inwards * grad > 0, 0), None, None


def returning_clamp(x: Float[Tensor, "*shape"], low: float, high: float = float("inf")) -> Float[Tensor, "*shape"]:
    """`x.clamp(low, high)` whose gradient dies only where a descent step would lead further out.

    The derivative of a plain clamp is zero outside the range, so that a value which has left it stays there
    whatever the images say. Here an outside value keeps the gradient that pulls it back, and an inside value has
    the exact derivative.
    """
    return _Clamp.apply(x, low, high)  # pyright: ignore[reportReturnType]

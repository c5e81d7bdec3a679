"""Local contrast: how a pixel differs from its surroundings, whatever the level of the light."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from handrefine.losses.view_stack import ViewStack


class LocalContrast:
    """`x - (G * w x) / (G * w)` with G a Gaussian, of every view by itself; linear and differentiable in x.

    Args:
        sizes: height and width of every view, whose pixels stand one after the other, row by row.
        weight: 1 where a pixel says something, 0 where it does not; the latter count in no mean (Knutsson and
            Westin 1993, normalized convolution), and no more do those beyond a view's border.
        sigma_px: standard deviation of G.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], weight: Float[Tensor, " pixel"], sigma_px: float) -> None:
        self._weight = weight[:, None]
        self._stack, self._sigma_px = ViewStack(sizes, weight.device), sigma_px
        self._share = self._stack.blurred(self._weight, sigma_px).clamp(min=1e-6)

    def __call__(self, values: Float[Tensor, "pixel channel"]) -> Float[Tensor, "pixel channel"]:
        return values - self._stack.blurred(values * self._weight, self._sigma_px) / self._share

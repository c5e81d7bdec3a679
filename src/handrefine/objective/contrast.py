"""Local contrast: how a pixel differs from its surroundings, whatever the level of the light."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d


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
        height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
        self._stack = (len(sizes), height, width)
        places = torch.arange(len(sizes) * height * width).reshape(self._stack)
        self._place = torch.cat([places[k, :h, :w].flatten() for k, (h, w) in enumerate(sizes)]).to(weight.device)
        radius = round(3 * sigma_px)
        offset = torch.arange(-radius, radius + 1, dtype=weight.dtype, device=weight.device)
        kernel = torch.exp(-offset.square() / (2 * sigma_px**2))
        self._kernel = kernel / kernel.sum()
        self._share = self._blurred(self._weight).clamp(min=1e-6)

    def __call__(self, values: Float[Tensor, "pixel channel"]) -> Float[Tensor, "pixel channel"]:
        return values - self._blurred(values * self._weight) / self._share

    def _blurred(self, values: Float[Tensor, "pixel channel"]) -> Float[Tensor, "pixel channel"]:
        n, height, width = self._stack
        channels, reach = values.shape[1], len(self._kernel) // 2
        stack = values.new_zeros(n * height * width, channels).index_copy(0, self._place, values)
        planes = stack.T.reshape(channels * n, 1, height, width)
        planes = conv2d(planes, self._kernel[None, None, :, None], padding=(reach, 0))
        planes = conv2d(planes, self._kernel[None, None, None, :], padding=(0, reach))
        return planes.reshape(channels, -1).T[self._place]

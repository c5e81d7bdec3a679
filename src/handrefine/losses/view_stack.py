"""Pictures of different sizes as one padded stack, so that filters run over all views at once."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


class ViewStack:
    """Views whose pixels stand one after the other, row by row, laid into planes of the largest view's size.

    Args:
        sizes: height and width of every view.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], device: torch.device | None = None) -> None:
        height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
        self.shape = (len(sizes), height, width)
        places = torch.arange(len(sizes) * height * width).reshape(self.shape)
        self.place: Int[Tensor, " pixel"] = torch.cat(
            [places[k, :h, :w].flatten() for k, (h, w) in enumerate(sizes)]
        ).to(device)
        self._n_places = places.numel()
        self.inside: Bool[Tensor, "view height width"] = self.planes(
            torch.ones(len(self.place), 1, dtype=torch.bool, device=device)
        )[0]

    def planes(self, values: Shaped[Tensor, "pixel channel"]) -> Shaped[Tensor, "channel view height width"]:
        """The views side by side, 0 beyond their borders; differentiable."""
        stack = values.new_zeros(self._n_places, values.shape[1]).index_copy(0, self.place, values)
        return stack.T.reshape(values.shape[1], *self.shape)

    def pixels(self, planes: Tensor) -> Tensor:
        """Inverse of `planes`: (pixel, channel)."""
        # Picked along the last axis, where memory is contiguous: six times faster than rows of a transposed view.
        return planes.reshape(len(planes), -1).index_select(1, self.place).T.contiguous()

    def blurred(self, values: Float[Tensor, "pixel channel"], sigma_px: float) -> Float[Tensor, "pixel channel"]:
        """Gaussian blur, not normalized: nothing comes from beyond a border. Linear and differentiable."""
        _, height, width = self.shape
        # Products with matrices: for pictures this small three times faster than convolutions.
        rows, columns = (gaussian(n, sigma_px, values) for n in (height, width))
        return self.pixels(rows @ self.planes(values) @ columns)

    def gradient(self, values: Float[Tensor, "pixel channel"]) -> Float[Tensor, "pixel channel 2"]:
        """Central differences in x and y, per pixel; 0 on a view's border."""
        planes = self.planes(values)
        x, y = torch.zeros_like(planes), torch.zeros_like(planes)
        x[..., 1:-1] = (planes[..., 2:] - planes[..., :-2]) / 2
        y[..., 1:-1, :] = (planes[..., 2:, :] - planes[..., :-2, :]) / 2
        inside = self.inside
        x[..., 1:-1] *= inside[..., 2:]
        y[..., 1:-1, :] *= inside[..., 2:, :]
        return torch.stack([self.pixels(x), self.pixels(y)], dim=2)


def gaussian(n: int, sigma_px: float, like: Tensor) -> Float[Tensor, "n n"]:
    """Weights of n pixels in a row for one another, up to three standard deviations; each full row sums to 1."""
    pixel = torch.arange(n, dtype=like.dtype, device=like.device)
    offset = (pixel[:, None] - pixel).abs()
    weight = torch.exp(-offset.square() / (2 * sigma_px**2)).where(offset <= round(3 * sigma_px), 0.0)
    reach = torch.arange(-round(3 * sigma_px), round(3 * sigma_px) + 1, dtype=like.dtype, device=like.device)
    return weight / torch.exp(-reach.square() / (2 * sigma_px**2)).sum()

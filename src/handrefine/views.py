"""What is looked at: cameras at frames, and the one flat buffer that holds the pixels of all their images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from handrefine.sequence import Camera


@dataclass(frozen=True, eq=False)
class View:
    """What camera `camera` sees of frame `frame`; the camera may be a crop window of a larger one."""

    frame: int
    camera: Camera


@dataclass(frozen=True, eq=False)
class ViewSet:
    """Views whose pixels stand one after the other, row by row, in a single flat buffer."""

    views: tuple[View, ...]

    def __len__(self) -> int:
        return len(self.views)

    @cached_property
    def sizes(self) -> Int[np.ndarray, " view"]:
        return np.array([v.camera.width * v.camera.height for v in self.views], dtype=np.int64)

    @cached_property
    def offsets(self) -> Int[np.ndarray, " view"]:
        """Index of each view's first pixel in the flat buffer."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)

    @property
    def n_pixels(self) -> int:
        return int(self.sizes.sum())

    @property
    def n_frames(self) -> int:
        """One more than the largest frame index."""
        return 1 + max(v.frame for v in self.views)

    def view_of_pixel(self, device: torch.device | None = None) -> Int[Tensor, " pixel"]:
        return torch.repeat_interleave(
            torch.arange(len(self), device=device), torch.as_tensor(self.sizes, device=device)
        )

    def split(self, pixels: Shaped[Tensor, "pixel *channel"]) -> list[Tensor]:
        """The flat buffer as one (height, width, ...) image a view."""
        parts = pixels.split(self.sizes.tolist())
        return [
            part.reshape(v.camera.height, v.camera.width, *part.shape[1:])
            for part, v in zip(parts, self.views, strict=True)
        ]

    def flatten(self, images: Sequence[Tensor]) -> Tensor:
        """Inverse of `split`."""
        return torch.cat([image.flatten(0, 1) for image in images])

"""Crop windows: which part of which image is rendered, and at which resolution."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.sequence import Camera


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CropConfig:
    max_size_px: PositiveInt = 160
    """Longest side of a view's crop window after downsampling; smaller windows are not enlarged."""
    margin: NonNegativeFloat = 0.2
    """Margin around the projected start, as a share of its longest side."""


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle of a camera's image, resampled to (width, height).

    Attributes:
        x0_px, y0_px, x1_px, y1_px: the rectangle in the full image, upper bounds exclusive.
        camera: the camera whose image is the resampled rectangle.
    """

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int
    camera: Camera

    @property
    def scale(self) -> float:
        """Window pixels per pixel of the full image."""
        return self.camera.width / (self.x1_px - self.x0_px)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The rectangle of a full image, at full resolution."""
        return image[self.y0_px : self.y1_px, self.x0_px : self.x1_px]

    def shrink(self, crop: np.ndarray) -> Float[np.ndarray, "height width *channel"]:
        """A full-resolution crop resampled to the window's size; every pixel the mean over its area."""
        size = (self.camera.width, self.camera.height)
        return cv2.resize(crop.astype(np.float32), size, interpolation=cv2.INTER_AREA)

    def enlarge(self, picture: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "full_height full_width"]:
        """A picture of the window brought back to full resolution, in the place where it came from."""
        size = (self.x1_px - self.x0_px, self.y1_px - self.y0_px)
        return cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def window_around(points_world: Float[Tensor, "point 3"], camera: Camera, crop: CropConfig) -> Window | None:
    """The window around the projections of some points, clipped to the image.

    None where the points lie outside the image or behind the camera, wholly or nearly so.
    """
    uv_px = camera.project(points_world)
    uv_px = uv_px[torch.isfinite(uv_px).all(dim=-1)].detach().cpu().numpy()
    if len(uv_px) < len(points_world):
        return None
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    margin = max(crop.margin * float((high - low).max()), 4.0)
    x0, y0 = np.maximum(np.floor(low - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + margin), (camera.width, camera.height)).astype(int)
    if min(x1 - x0, y1 - y0) < 8:
        return None
    shrink = max(1.0, max(x1 - x0, y1 - y0) / crop.max_size_px)
    width, height = (max(8, round(n / shrink)) for n in (x1 - x0, y1 - y0))
    cropped = camera.cropped(int(x0), int(y0), int(x1 - x0), int(y1 - y0))
    return Window(int(x0), int(y0), int(x1), int(y1), cropped.resized(width, height))

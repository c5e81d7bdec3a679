"""Crop windows: which part of which image is rendered, and at which resolution."""

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from handrefine.observations import SHORTEST_PX, CropWindow
from handrefine.sequence import Camera

#: Free space around the hand at least, however small it is in the image.
LEAST_MARGIN_PX = 4.0


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CropConfig:
    max_size_px: PositiveInt = 160
    """Longest side of a view's crop window after downsampling; smaller windows are not enlarged."""
    margin: NonNegativeFloat = 0.2
    """Margin around the projected start, as a share of its longest side."""


def window_around(points_world: Float[Tensor, "point 3"], camera: Camera, config: CropConfig) -> CropWindow | None:
    """The window around the projections of some points, clipped to the image.

    None where the points lie outside the image or behind the camera, wholly or nearly so.
    """
    uv_px = camera.project(points_world)
    uv_px = uv_px[torch.isfinite(uv_px).all(dim=-1)].detach().cpu().numpy()
    if len(uv_px) < len(points_world):
        return None
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    margin = max(config.margin * float((high - low).max()), LEAST_MARGIN_PX)
    x0, y0 = np.maximum(np.floor(low - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high + margin), (camera.width, camera.height)).astype(int)
    if min(x1 - x0, y1 - y0) < SHORTEST_PX:
        return None
    shrink = max(1.0, max(x1 - x0, y1 - y0) / config.max_size_px)
    width, height = (max(SHORTEST_PX, round(n / shrink)) for n in (x1 - x0, y1 - y0))
    cropped = camera.cropped(int(x0), int(y0), int(x1 - x0), int(y1 - y0))
    return CropWindow(int(x0), int(y0), int(x1), int(y1), cropped.resized(width, height))

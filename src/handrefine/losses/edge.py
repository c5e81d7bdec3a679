"""The edge term: pixels on edges of the render or the image count more (3.4 of the paper)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.colour import linear_to_srgb8

#: Canny's hysteresis thresholds on 8-bit sRGB, and the radius by which edges grow.
LOW, HIGH = 50.0, 150.0


def canny_edges(image: Float[np.ndarray, "height width 3"], low: float = LOW, high: float = HIGH) -> np.ndarray:
    """Canny edges of a linear RGB image, found on its 8-bit sRGB grey values."""
    grey = cv2.cvtColor(linear_to_srgb8(image), cv2.COLOR_RGB2GRAY)
    return cv2.Canny(grey, low, high).astype(bool)


def edge_pixels(
    picture: Float[Tensor, "height width 3"], *, low: float = LOW, high: float = HIGH, radius_px: int = 1
) -> Bool[Tensor, "height width"]:
    """Pixels on Canny edges of a linear RGB picture, grown by `radius_px`. Not differentiable."""
    edges = canny_edges(picture.detach().cpu().numpy(), low, high).astype(np.uint8)
    kernel = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    return torch.from_numpy(cv2.dilate(edges, kernel).astype(bool)).to(picture.device)


def pixels_on_edges(pictures: Sequence[Float[Tensor, "_h _w 3"]]) -> Bool[Tensor, " pixel"]:
    """`edge_pixels` of all views, one view after the other, row by row.

    `lambda_edge` times the mean of a residual over such pixels of the (colour-transformed) render or of the image
    is the extra term. They say where it counts, and the residual carries the gradient.
    """
    return torch.cat([edge_pixels(picture).flatten() for picture in pictures])

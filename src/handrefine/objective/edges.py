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
    rendered: Float[Tensor, "height width 3"],
    image: Float[Tensor, "height width 3"],
    *,
    low: float = LOW,
    high: float = HIGH,
    radius_px: int = 1,
) -> Bool[Tensor, "height width"]:
    """Pixels on Canny edges of the colour-transformed render or of the image, grown by `radius_px`.

    Not differentiable: the edges say where the residual counts more, and the residual carries the gradient.
    """
    edges = np.zeros(tuple(image.shape[:2]), bool)
    for picture in (rendered, image):
        edges |= canny_edges(picture.detach().cpu().numpy(), low, high)
    kernel = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
    return torch.from_numpy(cv2.dilate(edges.astype(np.uint8), kernel).astype(bool)).to(image.device)


def edge_weights(
    rendered: Sequence[Float[Tensor, "_h _w 3"]],
    images: Sequence[Float[Tensor, "_h _w 3"]],
    *,
    low: float = LOW,
    high: float = HIGH,
    radius_px: int = 1,
) -> Float[Tensor, " pixel"]:
    """`edge_pixels` of all views as 0/1 weights, one view after the other, row by row.

    `lambda_edge * weighted_mean(residual, weights * valid)` is the extra term.
    """
    pairs = zip(rendered, images, strict=True)
    masks = [edge_pixels(r, i, low=low, high=high, radius_px=radius_px).flatten() for r, i in pairs]
    return torch.cat(masks).to(images[0].dtype)

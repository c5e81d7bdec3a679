"""The edge term: pixels on edges of the render or the image count more (3.4 of the paper)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.colour import linear_to_srgb8
from handrefine.losses.base import OF_IMAGES, Iterate, Residuals, Setup
from handrefine.losses.comparison import as_seen
from handrefine.losses.data import colour_weight, counted
from handrefine.losses.local_contrast import LocalContrast

#: Canny's hysteresis thresholds on 8-bit sRGB, and the radius by which edges grow.
LOW, HIGH = 50.0, 150.0


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EdgeConfig:
    """Extra weight of the residual on Canny edges of image and render (section 3.4)."""

    weight: NonNegativeFloat = 1.0
    """Weight in the objective."""
    contrast_px: NonNegativeFloat = 2.0
    """Edges are compared by their contrast with the surroundings within this radius; 0 compares their colours."""

    def build(self, setup: Setup) -> "EdgeTerm":
        return EdgeTerm(setup, self.contrast_px)


class EdgeTerm:
    """The mean residual over pixels on edges of the (colour-transformed) render or of the image.

    Edges say where it counts, and the residual carries the gradient: of colours, or of local contrasts. Pixels
    that are saturated have no contrast that is known.
    """

    reads = OF_IMAGES
    judges_frames = False

    def __init__(self, setup: Setup, contrast_px: float) -> None:
        seen = setup.observations
        self._observations, self._norm = seen, setup.pixel_norm
        self._edges_of_images = pixels_on_edges(seen.views.split(seen.target))
        self._contrast = None
        if contrast_px > 0:
            sizes = [(view.camera.height, view.camera.width) for view in seen.views.views]
            self._contrast = LocalContrast(sizes, seen.measured.to(seen.colour_weight), contrast_px)
            self._target_contrast = self._contrast(as_seen(seen.target, seen))

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        seen, comparison = self._observations, iterate.comparison
        on_edge = self._edges_of_images | pixels_on_edges(seen.views.split(comparison.rgb.detach()))
        if self._contrast is None:
            difference = comparison.as_seen - comparison.target
        else:
            difference = self._contrast(comparison.as_seen) - self._target_contrast
        weight = colour_weight(seen, iterate) * (on_edge & seen.measured)
        count = counted(weight, iterate.prediction.coverage, seen.background_known)
        return [Residuals(difference, self._norm, weight, count)]


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
    """`edge_pixels` of all views, one view after the other, row by row."""
    return torch.cat([edge_pixels(picture).flatten() for picture in pictures])

"""What a video says, pixel by pixel, cropped to the hands and resampled to the rendering's resolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

from handrefine.sequence import Camera, ViewKey
from handrefine.views import View, ViewSet

#: Maps of the observations; those that are constant within a view; and those that say yes or no, where a resampled
#: pixel counts when nearly all of its area does.
_COLOURS = ("image", "target", "background")
_SHARES = ("colour_weight", "background_known", "hand_share", "silhouette_weight")
_OF_VIEW = ("grey_pixel", "camera_of_pixel")
_ALL_OR_NOTHING = ("colour_weight", "background_known", "silhouette_weight")
#: Share of a pixel's area that is nearly all of it.
NEARLY_ALL = 0.99
#: No side of a view becomes shorter.
SHORTEST_PX = 8


@dataclass(frozen=True, eq=False)
class CropWindow:
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

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The rectangle of a full image, at full resolution; a view of the image's own memory."""
        return image[self.y0_px : self.y1_px, self.x0_px : self.x1_px]

    def shrink(self, crop: np.ndarray) -> Float[np.ndarray, "height width *channel"]:
        """A full-resolution crop resampled to the window's size; every pixel the mean over its area."""
        return _area_mean(crop.astype(np.float32), self.camera)

    def enlarge(self, image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "full_height full_width"]:
        """An image of the window brought back to full resolution, in the place where it came from."""
        size = (self.x1_px - self.x0_px, self.y1_px - self.y0_px)
        return cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)

    def resized(self, factor: float) -> "CropWindow":
        """The same rectangle at another resolution."""
        width, height = (max(SHORTEST_PX, round(n * factor)) for n in (self.camera.width, self.camera.height))
        return replace(self, camera=self.camera.resized(width, height))


@dataclass(frozen=True, eq=False)
class Observations:
    """All views' pixels in the flat order of `views`.

    Attributes:
        keys: of every view; positions are those in the video that is refined.
        windows: where every view lies in its camera's full image.
        camera_names: the cameras in the order that `camera_of_pixel` counts.
        image: the image as it was taken, linear RGB.
        target: what the render should show; background: what stands behind the rendered hand, see
            `handrefine.preprocess.masks.labels.LabelImage`.
        colour_weight: 1 where colours are compared, else 0.
        background_known: False where the background is the image itself.
        hand_share: share of the pixel that labels call hand; silhouette_weight: 1 where they say so, else 0.
        grey_pixel: pixels of grey cameras.
        hand_of_view: which of the refined hands every view's window surrounds; None where there is one hand.
        owner: which of them a pixel certainly shows, -1 where that is unsure; None where there is one hand.
        clipped: of every channel of the target: 1 where the light is at least, -1 where it is at most this much,
            0 where it is just this; None where it is so everywhere.
    """

    views: ViewSet
    keys: tuple[ViewKey, ...]
    windows: tuple[CropWindow, ...]
    camera_names: tuple[str, ...]
    image: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]
    background: Float[Tensor, "pixel 3"]
    colour_weight: Float[Tensor, " pixel"]
    background_known: Bool[Tensor, " pixel"]
    hand_share: Float[Tensor, " pixel"]
    silhouette_weight: Float[Tensor, " pixel"]
    grey_pixel: Bool[Tensor, " pixel"]
    camera_of_pixel: Int[Tensor, " pixel"]
    hand_of_view: tuple[int, ...] | None = None
    owner: Int[Tensor, " pixel"] | None = None
    clipped: Int8[Tensor, "pixel 3"] | None = None

    @property
    def measured(self) -> Bool[Tensor, " pixel"]:
        """Where colours are compared and none of them is but a lower bound."""
        compared = self.colour_weight > 0
        return compared if self.clipped is None else compared & ~(self.clipped > 0).any(dim=1)

    def select(self, indices: Sequence[int]) -> "Observations":
        """Some of the views, in the given order."""
        offsets, sizes = self.views.offsets, self.views.sizes
        pixels = np.concatenate([np.arange(offsets[k], offsets[k] + sizes[k]) for k in indices])
        index = torch.from_numpy(pixels).to(self.image.device)
        hands = self.hand_of_view
        return replace(
            self,
            views=ViewSet(tuple(self.views.views[k] for k in indices)),
            keys=tuple(self.keys[k] for k in indices),
            windows=tuple(self.windows[k] for k in indices),
            hand_of_view=None if hands is None else tuple(hands[k] for k in indices),
            owner=None if self.owner is None else self.owner[index],
            clipped=None if self.clipped is None else self.clipped[index],
            **{name: getattr(self, name)[index] for name in (*_COLOURS, *_SHARES, *_OF_VIEW)},
        )

    def resized(self, factor: float) -> "Observations":
        """Every view at a lower resolution, each pixel the mean over its area; no side is below 8 px."""
        if factor == 1:
            return self
        windows = tuple(window.resized(factor) for window in self.windows)
        pairs = zip(self.views.views, windows, strict=True)
        views = ViewSet(tuple(View(view.frame, window.camera) for view, window in pairs))

        def smaller(values: Tensor, *, all_or_nothing: bool) -> Tensor:
            images = [
                _area_mean(image.float().cpu().numpy(), view.camera)
                for image, view in zip(self.views.split(values), views.views, strict=True)
            ]
            flat = torch.cat([torch.from_numpy(image).flatten(0, 1) for image in images])
            return (flat > NEARLY_ALL if all_or_nothing else flat).to(values)

        device = self.image.device
        view_of_pixel, first_pixel = views.view_of_pixel(device), torch.from_numpy(self.views.offsets).to(device)
        owner = None
        if self.owner is not None:
            owner = torch.full_like(view_of_pixel, -1)
            for hand in reversed(range(int(self.owner.max()) + 1)):
                owner[smaller(self.owner == hand, all_or_nothing=True)] = hand
        clipped = None
        if self.clipped is not None:
            of_views = [
                clipped_means(image.cpu().numpy(), lambda part, camera=view.camera: _area_mean(part, camera))
                for image, view in zip(self.views.split(self.clipped), views.views, strict=True)
            ]
            clipped = torch.cat([torch.from_numpy(image).flatten(0, 1) for image in of_views]).to(device)
        return replace(
            self,
            views=views,
            windows=windows,
            owner=owner,
            clipped=clipped,
            **{name: getattr(self, name)[first_pixel][view_of_pixel] for name in _OF_VIEW},
            **{
                name: smaller(getattr(self, name), all_or_nothing=name in _ALL_OR_NOTHING)
                for name in (*_COLOURS, *_SHARES)
            },
        )


def clipped_means(
    clipped: Int8[np.ndarray, "height width 3"], shrink: Callable[[np.ndarray], np.ndarray]
) -> Int8[np.ndarray, "small_height small_width 3"]:
    """What means over areas say: a lower bound where any part is one, an upper one only where nearly all are.

    A mean that is partly black by crushing would be a bound far from what is known of the rest.
    """
    at_least, at_most = (shrink((clipped == end).astype(np.float32)) for end in (1, -1))
    return (at_least > 1 - NEARLY_ALL).astype(np.int8) - (at_most > NEARLY_ALL).astype(np.int8)


def _area_mean(image: np.ndarray, camera: Camera) -> np.ndarray:
    """The image resampled to the size of a camera's."""
    return cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)

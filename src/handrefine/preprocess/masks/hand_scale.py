"""Pictures of a hand and its surroundings, at a size that does not depend on the camera's resolution."""

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from handrefine import regions

#: Colours are looked at at this length of the hand, in pixels: finer than any crop window is rendered.
SEGMENTED_LENGTH_PX = 200
#: How much background around the hand teaches colours, as a share of its length.
CONTEXT = 0.6

Pixels = UInt8[np.ndarray, "_ _ 3"]
Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, evenly spaced."""
    count = len(items)
    return [items[k] for k in sorted({round(k) for k in np.linspace(0, count - 1, min(count, most))})]


def with_context(picture: Pixels, joints_px: Float[np.ndarray, "21 2"]) -> tuple[np.ndarray, Pixels]:
    """Upper left corner and content of the part of a picture that surrounds a hand."""
    height, width = picture.shape[:2]
    finite = joints_px[np.isfinite(joints_px).all(axis=1)]
    if not len(finite):
        return np.zeros(2), picture[:0]
    margin = CONTEXT * regions.hand_length_px(joints_px)
    low = np.clip(np.floor(finite.min(axis=0) - margin), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(finite.max(axis=0) + margin), 0, (width, height)).astype(int)
    return low, picture[low[1] : high[1], low[0] : high[0]]


def at_length(crop: Pixels, joints_px: Float[np.ndarray, "21 2"]) -> tuple[Pixels, np.ndarray]:
    """The crop made smaller until the hand has the segmented length, and the scale in x and y; never larger."""
    height, width = crop.shape[:2]
    shrink = min(1.0, SEGMENTED_LENGTH_PX / max(regions.hand_length_px(joints_px), 1.0))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    return cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.array(size) / (width, height)


def resized(picture: np.ndarray, shape: tuple[int, ...], interpolation: int) -> np.ndarray:
    """shape: height and width."""
    return cv2.resize(picture, (shape[1], shape[0]), interpolation=interpolation)

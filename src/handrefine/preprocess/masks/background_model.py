"""The empty background of a camera that does not move, and what stands in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int8, Shaped, UInt8

from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN

#: Differences from the plate, in 8-bit levels: what is nothing and what is something at least, and the same in
#: standard deviations of the camera's own noise.
SAME_LEVELS, DIFFERENT_LEVELS = 5.0, 12.0
SAME_SIGMAS, DIFFERENT_SIGMAS = 2.5, 5.0
#: A surface may be darkened to this share of itself by a shadow.
DARKEST_SHADOW = 0.4
#: Side of the box over which differences are averaged and of the window in which the majority decides.
SMOOTH_PX, MAJORITY_PX = 3, 5

Pixels = UInt8[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class Plate:
    """A camera's background.

    rgb: 8-bit sRGB. known: False where some hand was near at every frame.
    noise_levels: standard deviation of one picture's channel about it.
    """

    rgb: Pixels
    known: Region
    noise_levels: float


def background_plate(pictures: Sequence[Pixels], covered: Sequence[Region]) -> Plate:
    """The median over the frames at which no hand's neighbourhood covers the pixel.

    Args:
        pictures: 8-bit sRGB of one camera at several frames.
        covered: where hands and forearms may be at each of them, with room to spare.
    """
    stack = np.stack(pictures)
    hidden = np.stack(covered)
    count = (~hidden).sum(axis=0)
    stack[hidden] = 255
    stack.sort(axis=0)
    middle = np.maximum(count - 1, 0) // 2
    rgb = np.take_along_axis(stack, middle[None, ..., None], axis=0)[0]
    return Plate(rgb, count > 0, _noise_levels(pictures, covered, rgb, count >= 2))


def labels_by_plate(picture: Pixels, plate: Plate) -> Int8[np.ndarray, "height width"]:
    """HAND where the picture differs from the plate, NOT_HAND where it does not, else UNKNOWN.

    Unknown are pixels whose background was never seen, whose difference lies between noise and certainty, and
    those that look like their background in a shadow. A median over 5 px removes specks.
    """
    difference = np.abs(_signed(picture, plate.rgb)).max(axis=2)
    same = max(SAME_LEVELS, SAME_SIGMAS * plate.noise_levels)
    different = max(DIFFERENT_LEVELS, DIFFERENT_SIGMAS * plate.noise_levels)
    grade = np.where(difference > different, 2, np.where(difference > same, 1, 0)).astype(np.uint8)
    grade[(grade == 2) & like_shadow(picture, plate.rgb, different)] = 1
    smooth = np.asarray(cv2.medianBlur(grade, MAJORITY_PX))
    label = np.array([NOT_HAND, UNKNOWN, HAND], np.int8)[smooth.astype(int)]
    label[~plate.known] = UNKNOWN
    return label


def _signed(picture: Pixels, background: Pixels) -> Float[np.ndarray, "height width 3"]:
    return cv2.blur(picture.astype(np.float32) - background.astype(np.float32), (SMOOTH_PX, SMOOTH_PX))


def like_shadow(
    picture: Shaped[np.ndarray, "height width 3"],
    background: Shaped[np.ndarray, "height width 3"],
    tolerance: float | Float[np.ndarray, "height width"],
) -> Region:
    """Where the picture is the background times one number below 1, within the tolerance in every channel."""
    seen, behind = (cv2.blur(p.astype(np.float32), (SMOOTH_PX, SMOOTH_PX)) for p in (picture, background))
    share = (seen * behind).sum(axis=2) / np.maximum(np.square(behind).sum(axis=2), 1.0)
    off = np.abs(seen - share[..., None] * behind).max(axis=2)
    return (share > DARKEST_SHADOW) & (share < 1) & (off < tolerance)


def _noise_levels(pictures: Sequence[Pixels], covered: Sequence[Region], plate: Pixels, judged: Region) -> float:
    """1.4826 times the median absolute difference of smoothed, uncovered pictures from the plate."""
    off = [
        np.abs(_signed(picture, plate))[judged & ~hidden][::7].ravel()
        for picture, hidden in zip(pictures, covered, strict=True)
    ]
    everything = np.concatenate(off)
    return float(1.4826 * np.median(everything)) if len(everything) else 0.0

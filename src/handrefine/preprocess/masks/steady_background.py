"""What a steady camera shows of its background over time, and which pixels of a picture look like it.

Unlike the plate of `background_model`, which a user asks for, this has to know by itself where it knows nothing: a
pixel's background must have been seen several times, and alike. Where a hand keeps still it is never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int8, Shaped, UInt8

from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.preprocess.masks.background_model import like_shadow


class Grade(IntEnum):
    """How a pixel compares with its own background."""

    UNSEEN = -1
    SAME = 0
    UNSURE = 1
    OTHER = 2


#: How often a pixel's background must have been seen, and which share of these times alike.
FEWEST_TIMES, ALIKE = 3, 0.7
#: Differences in 8-bit levels and in standard deviations of the noise: what is nothing at most, how far the times
#: at which the background was seen may differ, and what is something at least.
SAME_LEVELS, ALIKE_LEVELS, OTHER_LEVELS = 4.0, 6.0, 12.0
SAME_SIGMAS, ALIKE_SIGMAS, OTHER_SIGMAS = 2.5, 3.75, 5.0
#: Times that differ by more levels than this are not alike, whatever the noise: a moving camera makes much of it.
MOST_ALIKE_LEVELS = 12.0
#: Side of the box over which differences are averaged and of the window in which the majority decides.
SMOOTH_PX, MAJORITY_PX = 3, 3
#: Linear values by which exposures are compared, how many are needed, and what change of exposure is none.
LEAST, MOST, FEWEST_VALUES, NO_CHANGE = 0.02, 0.8, 64, 0.01

Pixels = UInt8[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]
Levels = Float[np.ndarray, "height width 3"]
Grades = Int8[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class SteadyBackground:
    """One camera's background.

    levels: 8-bit sRGB. linear: the same, for comparing exposures.
    known: where it was seen often enough, and alike.
    noise_levels: standard deviation of a smoothed picture about it; larger where the background is restless.
    steady: share of what was seen often enough that was seen alike.
    """

    levels: Levels
    linear: Levels
    known: Region
    noise_levels: Float[np.ndarray, "height width"]
    steady: float

    def grades(self, picture: Pixels, covered: Region) -> Grades:
        """`Grade` of every pixel; what may be the background in a shadow is unsure.

        covered: where hands and forearms may be; the rest tells the picture's exposure.
        """
        levels = _evened(picture, self.linear, self.known & ~covered)
        off = np.abs(_smooth(levels - self.levels)).max(axis=2)
        same = np.maximum(SAME_LEVELS, SAME_SIGMAS * self.noise_levels)
        other = np.maximum(OTHER_LEVELS, OTHER_SIGMAS * self.noise_levels)
        grade = np.where(off > other, Grade.OTHER, np.where(off > same, Grade.UNSURE, Grade.SAME)).astype(np.uint8)
        unlike = (grade == Grade.OTHER) & ~like_shadow(levels, self.levels, other)
        # The box has carried a difference half its width beyond the contour.
        inside = cv2.erode(unlike.astype(np.uint8), np.ones((SMOOTH_PX, SMOOTH_PX), np.uint8)) > 0
        grade[(grade == Grade.OTHER) & ~inside] = Grade.UNSURE
        found = np.asarray(cv2.medianBlur(grade, MAJORITY_PX)).astype(np.int8)
        return np.where(self.known, found, np.int8(Grade.UNSEEN))


def learn_background(pictures: Sequence[Pixels], covered: Sequence[Region]) -> SteadyBackground:
    """The median over the times at which hands and forearms are elsewhere, exposures made alike before.

    Args:
        pictures: 8-bit sRGB of one camera at several frames.
        covered: where hands and forearms may be at each of them, given what an annotation may be off.
    """
    hidden = np.stack(covered)
    count = (~hidden).sum(axis=0)
    often = count >= FEWEST_TIMES
    reference = _median(np.stack([srgb8_to_linear(picture) for picture in pictures]), hidden)
    stack = np.stack([_evened(p, reference, often & ~c) for p, c in zip(pictures, covered, strict=True)])
    levels = _median(stack, hidden)
    differences = np.stack([np.abs(_smooth(picture - levels)) for picture in stack])
    judged = differences[often & ~hidden][::7]
    noise = float(1.4826 * np.median(judged)) if len(judged) else 0.0
    off = differences.max(axis=3)
    within = min(max(ALIKE_LEVELS, ALIKE_SIGMAS * noise), MOST_ALIKE_LEVELS)
    alike = ((off <= within) & ~hidden).sum(axis=0) >= ALIKE * count
    restless = cv2.medianBlur(_median(off[..., None], hidden)[..., 0], MAJORITY_PX)
    steady = float(alike[often].mean()) if often.any() else 0.0
    linear = srgb8_to_linear(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    return SteadyBackground(levels, linear, often & alike, np.maximum(noise, np.asarray(restless)), steady)


def _evened(picture: Pixels, reference: Levels, background: Region) -> Levels:
    """A picture's 8-bit levels at the exposure of a linear reference: the median ratio of every channel."""
    linear = srgb8_to_linear(picture)
    gains = np.ones(3, np.float32)
    for channel in range(3):
        seen, wanted = linear[background, channel], reference[background, channel]
        usable = (np.minimum(seen, wanted) > LEAST) & (np.maximum(seen, wanted) < MOST)
        if np.count_nonzero(usable) >= FEWEST_VALUES:
            gains[channel] = np.median(seen[usable] / wanted[usable])
    if (np.abs(gains - 1) < NO_CHANGE).all():
        return picture.astype(np.float32)
    return linear_to_srgb8((linear / gains).clip(0, 1)).astype(np.float32)


def _median(stack: Shaped[np.ndarray, "time height width channel"], hidden: Bool[np.ndarray, "time height width"]):
    """Over the times at which a pixel is not hidden; 0 where it always is."""
    values = np.where(hidden[..., None], np.inf, stack)
    values.sort(axis=0)
    count = (~hidden).sum(axis=0)[None, ..., None]
    lower, upper = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(stack) - 1)
    middle = (np.take_along_axis(values, lower, axis=0) + np.take_along_axis(values, upper, axis=0))[0] / 2
    return np.where(count[0] > 0, middle, 0).astype(np.float32)


def _smooth(levels: Levels) -> Levels:
    return np.asarray(cv2.blur(levels.astype(np.float32), (SMOOTH_PX, SMOOTH_PX)))

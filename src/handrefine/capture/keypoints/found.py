"""Hands out of flat lists of numbers, as all of these tools store them."""

from typing import Any

import numpy as np

from handrefine.capture.detections import FoundHand
from handrefine.capture.sources import FrameSource
from handrefine.errors import InputError
from handrefine.sequence import FrameId

#: What these tools call a pixel's centre: they count from the centre of the first pixel.
CENTRE_PX = 0.5
#: Hands by frame, of one camera.
HandsByFrame = dict[FrameId, list[FoundHand]]


def hand_of_triples(values: Any, right_score: float, where: object) -> FoundHand | None:
    """A hand of 21 times (x, y, confidence); None where nothing was found, which is all zeros or nothing at all.

    Raises:
        InputError: there are numbers, but not 63.
    """
    try:
        numbers = np.asarray(values if values is not None else [], np.float64).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("keypoints are no numbers", where=where, found=error) from None
    if numbers.size == 0 or not numbers.any():
        return None
    if numbers.size != 63:
        raise InputError(
            "a hand has another number of keypoints",
            where=where,
            expected="21 times x, y, confidence",
            found=f"{numbers.size} numbers",
        )
    triples = numbers.reshape(21, 3)
    confidence = np.where(np.isfinite(triples).all(axis=1), np.clip(triples[:, 2], 0, 1), 0.0)
    if not confidence.any():
        return None
    return FoundHand(np.nan_to_num(triples[:, :2]) + CENTRE_PX, confidence, right_score)


def check_inside(hands: HandsByFrame, source: FrameSource, where: object) -> None:
    """Raises:
    InputError: most keypoints lie outside of the images: they are of images of another size.
    """
    width, height = source.size
    points = [hand.uv_px[hand.confidence > 0] for found in hands.values() for hand in found]
    if not points:
        return
    uv_px = np.concatenate(points)
    inside = ((uv_px > -0.1 * np.array([width, height])) & (uv_px < 1.1 * np.array([width, height]))).all(axis=1)
    largest = uv_px.max(axis=0)
    if inside.mean() < 0.5 or (largest <= 2).all():
        raise InputError(
            "keypoints do not fit the images",
            where=where,
            expected=f"pixels of images of {width}x{height} px",
            found=f"coordinates up to ({largest[0]:.4g}, {largest[1]:.4g})",
            fix="run the detector on these very images, and store pixels",
        )

"""Where a sensor's range ends: what a pixel there says of its colour is a bound."""

import numpy as np
from jaxtyping import Float, Int8

from handrefine.colour import srgb_to_linear

#: sRGB values from which on a channel counts as saturated, and up to which it counts as crushed to black.
SATURATED_SRGB, CRUSHED_SRGB = 0.98, 0.02


def clipped_channels(image: Float[np.ndarray, "height width 3"]) -> Int8[np.ndarray, "height width 3"]:
    """What every channel of a linear RGB image says: 1 at least this value, -1 at most, 0 just this."""
    saturated, crushed = (srgb_to_linear(np.array(end, image.dtype)) for end in (SATURATED_SRGB, CRUSHED_SRGB))
    return (image >= saturated).astype(np.int8) - (image <= crushed).astype(np.int8)

"""From linear light to files that people look at."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.colour import linear_to_srgb8
from handrefine.files import whole_file


def srgb_bytes(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """8-bit sRGB of linear light; values outside [0, 1] are clipped and NaN is black."""
    return linear_to_srgb8(np.nan_to_num(linear, nan=0.0))


def write_picture(path: Path, picture: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write sRGB bytes to a file whose suffix says the format, e.g. PNG.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
            raise OSError(f"cannot write {path}")

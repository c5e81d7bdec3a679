"""Images on disk: from linear light to 8-bit sRGB files, and back."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.colour import linear_to_srgb8
from handrefine.errors import InputError
from handrefine.files import whole_file

#: Images of one run differ in size, so their axes have no names.
Rgb8 = UInt8[np.ndarray, "_ _ 3"]
Rgba8 = UInt8[np.ndarray, "_ _ 4"]


def srgb_bytes(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """8-bit sRGB of linear light; values outside [0, 1] are clipped and NaN is black."""
    return linear_to_srgb8(np.nan_to_num(linear, nan=0.0))


def write_image(path: Path, image: Rgb8 | Rgba8) -> None:
    """Write sRGB bytes, with or without alpha, to a file whose suffix says the format, e.g. PNG.

    Raises:
        OSError: the file cannot be written.
    """
    order = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(image, order)):
            raise OSError(f"cannot write {path}")


def read_image(path: Path) -> Rgb8:
    """The sRGB bytes of an image file, without its alpha.

    Raises:
        InputError: it is missing or broken.
    """
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_rgba_image(path: Path) -> Rgba8:
    """The sRGB bytes of an image file and its alpha, opaque where it has none.

    Raises:
        InputError: it is missing or broken.
    """
    image = _read(path, cv2.IMREAD_UNCHANGED)
    if image.dtype != np.uint8:
        raise InputError("an image of the run has more than 8 bits", where=path, found=image.dtype)
    channels = 1 if image.ndim == 2 else image.shape[2]
    order = {1: cv2.COLOR_GRAY2RGBA, 3: cv2.COLOR_BGR2RGBA, 4: cv2.COLOR_BGRA2RGBA}[channels]
    return cv2.cvtColor(image, order)


def _read(path: Path, how: int) -> np.ndarray:
    image = cv2.imread(str(path), how) if path.is_file() else None
    if image is None:
        raise InputError("an image of the run is missing or broken", where=path)
    return image

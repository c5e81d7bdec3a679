"""Image files to arrays, one at a time and only when asked: linear RGB pictures and boolean masks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from jaxtyping import Bool, Float, Shaped

from handrefine.colour import srgb8_to_linear, srgb_to_linear
from handrefine.errors import InputError


def image_reader(path: Path, width: int, height: int) -> Callable[[], Float[np.ndarray, "height width 3"]]:
    """A function that reads the picture at `path`, which must have the given size."""
    return partial(read_image, path, width, height)


def mask_reader(path: Path, width: int, height: int) -> Callable[[], Bool[np.ndarray, "height width"]]:
    """A function that reads the mask at `path`, which must have the given size."""
    return partial(read_mask, path, width, height)


def read_image(path: Path, width: int, height: int) -> Float[np.ndarray, "height width 3"]:
    """Linear RGB float32 in [0, 1] of an 8- or 16-bit sRGB file; a greyscale image is repeated over R, G, B.

    Raises:
        InputError: the file is missing, is no image, ends too early, or has another size.
    """
    pixels = _decode(path, width, height)
    if pixels.dtype == np.uint8:
        linear = srgb8_to_linear(pixels)
    elif pixels.dtype == np.uint16:
        linear = srgb_to_linear(pixels.astype(np.float32) / 65535)
    else:
        raise InputError("an image's values are neither 8 nor 16 bits", where=path, found=pixels.dtype)
    return linear if linear.shape[2] == 3 else np.repeat(linear[:, :, :1], 3, axis=2)


def read_mask(path: Path, width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """True where any channel of the file is not zero (transparency aside).

    Raises:
        InputError: as `read_image`.
    """
    return (_decode(path, width, height) != 0).any(axis=2)


def read_grey8(path: Path, width: int, height: int) -> Shaped[np.ndarray, "height width"]:
    """The first channel as it is stored.

    Raises:
        InputError: as `read_image`.
    """
    return _decode(path, width, height)[:, :, 0]


def image_header(path: Path) -> tuple[int, int, bool]:
    """Width, height, and whether the file has a single channel, without decoding the picture.

    Raises:
        InputError: the file is missing or is no image.
    """
    try:
        shape = iio.improps(path, plugin="pillow", index=0).shape
    except FileNotFoundError:
        raise InputError("an image file does not exist", where=path) from None
    except Exception as error:  # as in `_decode`
        raise InputError("an image file is broken", where=path, found=error, fix="copy it again") from error
    return shape[1], shape[0], len(shape) == 2


def _decode(path: Path, width: int, height: int) -> Shaped[np.ndarray, "height width channel"]:
    """The stored values, as one or three channels, without alpha.

    Pillow decodes, not OpenCV: of a truncated JPEG, OpenCV returns a picture whose lower part is grey.
    """
    try:
        pixels = np.asarray(iio.imread(path, plugin="pillow", index=0))
    except FileNotFoundError:
        raise InputError("an image file does not exist", where=path) from None
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError ... on broken files
        raise InputError(
            "an image file is broken or ends too early", where=path, found=error, fix="copy it again"
        ) from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[2] in (2, 4):
        pixels = pixels[:, :, :-1]
    if pixels.shape[:2] != (height, width):
        raise InputError(
            "an image has the wrong size",
            where=path,
            expected=f"{width}x{height} px (width x height), as its camera's",
            found=f"{pixels.shape[1]}x{pixels.shape[0]} px",
        )
    return pixels

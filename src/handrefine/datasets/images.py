"""Image files to arrays, one at a time and only when asked: linear RGB pictures and boolean masks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from handrefine.colour import srgb8_to_linear, srgb_to_linear
from handrefine.io.image_files import read_pixels


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
    stored = read_pixels(path, width, height).colour
    linear = (
        srgb8_to_linear(stored)
        if stored.dtype == np.uint8
        else srgb_to_linear(stored.astype(np.float32) / np.float32(65535))
    )
    return linear if linear.shape[2] == 3 else np.repeat(linear[:, :, :1], 3, axis=2)


def read_mask(path: Path, width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """Where a mask says skin.

    A mask of two values, or of small numbers that name regions, is skin wherever it is not zero; one of more
    values (a soft matte, JPEG's noise) from half of the range on. A shape in the alpha channel counts, too: alone
    where the colours are a picture's, or everywhere the same.

    Raises:
        InputError: as `read_image`.
    """
    pixels = read_pixels(path, width, height)
    value = pixels.colour.max(axis=2)
    if pixels.alpha is None or pixels.alpha.min() == pixels.alpha.max():
        return _is_set(value)
    values = _some_values(value)
    return _is_set(pixels.alpha) & (_is_set(value) if len(values) == 2 else True)


def read_grey8(path: Path, width: int, height: int) -> Shaped[np.ndarray, "height width"]:
    """The first channel as it is stored.

    Raises:
        InputError: as `read_image`.
    """
    return read_pixels(path, width, height).colour[:, :, 0]


#: Numbers of regions are at most so large.
_LARGEST_REGION = 31


def _is_set(value: Shaped[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    values = _some_values(value)
    if len(values) <= 2 or values.max() <= _LARGEST_REGION:
        return value != 0
    return value >= (np.iinfo(value.dtype).max + 1) // 2


def _some_values(value: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.bincount(value.ravel(), minlength=1))

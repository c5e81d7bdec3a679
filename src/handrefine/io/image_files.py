"""Image files: the one decoder of all that is read, and the writer of 8-bit sRGB files.

A file is decoded as OpenCV's `imread` does, by which the datasets' own tools read: turned as its EXIF orientation
says, palettes expanded, other colour spaces in RGB. Its size is known and compared before it is decoded. Only the
formats of photographs and masks are read, by content and whatever the suffix: others start programs of their own.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import BmpImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from handrefine.colour import linear_to_srgb8
from handrefine.errors import InputError
from handrefine.io.files import open_file, whole_file

#: Images of one run differ in size, so their axes have no names.
Rgb8 = UInt8[np.ndarray, "_ _ 3"]
Rgba8 = UInt8[np.ndarray, "_ _ 4"]
FORMATS: tuple[str, ...] = tuple(
    str(plugin.format)
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        WebPImagePlugin.WebPImageFile,
    )
)
#: Pixels of the largest image that is read where no camera says its size.
MAX_PIXELS = 2**26
_ORIENTATION, _UPRIGHT = 0x0112, 1
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")


@dataclass(frozen=True)
class ImageHeader:
    """What a file says of itself, without decoding it.

    width, height: as the image is shown, that is once it has been turned.
    orientation: the EXIF tag; 1 where it is upright.
    """

    width: int
    height: int
    grey: bool
    orientation: int


@dataclass(frozen=True, eq=False)
class Pixels:
    """Values as they are stored, 8 or 16 bits; one channel or three. alpha: None where there is none."""

    colour: Shaped[np.ndarray, "height width channel"]
    alpha: Shaped[np.ndarray, "height width"] | None


def image_header(path: Path) -> ImageHeader:
    """Raises:
    InputError: the file is missing, is no image of a known format, or is too large.
    """
    with _opened(path) as image:
        return _header(image, path)


def read_pixels(path: Path, width: int | None = None, height: int | None = None) -> Pixels:
    """Decode an image, which must have the given size if there is one.

    Raises:
        InputError: the file is missing, is no image, ends too early, is too large, or has another size.
    """
    with _opened(path) as image:
        if width is not None and height is not None and sorted(image.size) != sorted((width, height)):
            header = ImageHeader(*image.size, grey=False, orientation=_UPRIGHT)  # the tag of a PNG costs decoding
        else:
            header = _header(image, path)
        if width is not None and (header.width, header.height) != (width, height):
            turned = header.orientation > 4 and (header.height, header.width) == (width, height)
            raise InputError(
                "an image has the wrong size",
                where=path,
                expected=f"{width}x{height} px (width x height), as its camera's",
                found=f"{header.width}x{header.height} px"
                + (f", turned by its EXIF orientation {header.orientation}" if header.orientation > 1 else ""),
                fix="remove the orientation tag, if the calibration is of the image as it is stored"
                if turned
                else None,
            )
        image.load()
        if image.format != "TIFF":  # which Pillow turns itself
            ImageOps.exif_transpose(image, in_place=True)
        return _pixels(image, path)


def read_image(path: Path) -> Rgb8:
    """The sRGB bytes of an image file, without its alpha.

    Raises:
        InputError: it is missing, broken or too large, or has more than 8 bits.
    """
    return _rgb(_eight_bits(path).colour)


def read_rgba_image(path: Path) -> Rgba8:
    """The sRGB bytes of an image file and its alpha, opaque where it has none.

    Raises:
        InputError: as `read_image`.
    """
    pixels = _eight_bits(path)
    alpha = np.full(pixels.colour.shape[:2], 255, np.uint8) if pixels.alpha is None else pixels.alpha
    return np.concatenate([_rgb(pixels.colour), alpha[..., None]], axis=2)


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


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with open_file(path) as file:
            with warnings.catch_warnings():  # of large images, whose size is compared below
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                opened = Image.open(file, formats=FORMATS)
            with opened as image:
                yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("an image file does not exist", where=path) from None
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError ... on broken files
        raise InputError(
            "an image file is broken or ends too early",
            where=path,
            found=str(error) or type(error).__name__,
            fix="copy it again",
        ) from error


def _header(image: Image.Image, path: Path) -> ImageHeader:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(
            "an image is too large", where=path, expected=f"at most {MAX_PIXELS} px", found=f"{width}x{height} px"
        )
    orientation = _UPRIGHT
    if image.format != "TIFF":
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
    if type(orientation) is not int or not 1 <= orientation <= 8:
        orientation = _UPRIGHT
    if orientation > 4:
        width, height = height, width
    return ImageHeader(width, height, image.mode in _GREY, orientation)


def _pixels(image: Image.Image, path: Path) -> Pixels:
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in (*_GREY, "RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode in ("PA", "RGBa") else "RGB")
    stored = np.asarray(image)
    if stored.dtype == np.bool_:
        stored = stored.astype(np.uint8) * np.uint8(255)
    if stored.dtype == np.int32 and stored.size and stored.min() >= 0 and stored.max() < 2**16:
        stored = stored.astype(np.uint16)
    if stored.dtype.kind == "u" and stored.dtype.itemsize == 2:
        stored = stored.astype(np.uint16)  # in the machine's order of bytes
    if stored.dtype not in (np.uint8, np.uint16):
        raise InputError("an image's values are neither 8 nor 16 bits", where=path, found=stored.dtype)
    if stored.ndim == 2:
        return Pixels(stored[:, :, None], None)
    if stored.shape[2] in (2, 4):
        return Pixels(stored[:, :, :-1], stored[:, :, -1])
    return Pixels(stored, None)


def _eight_bits(path: Path) -> Pixels:
    pixels = read_pixels(path)
    if pixels.colour.dtype != np.uint8:
        raise InputError("an image of the run has more than 8 bits", where=path, found=pixels.colour.dtype)
    return pixels


def _rgb(colour: Shaped[np.ndarray, "height width channel"]) -> Rgb8:
    return np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else np.ascontiguousarray(colour)

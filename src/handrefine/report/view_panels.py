"""The derived images of one view: contours, signed residual, normals over the image, labels."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from handrefine.runs.result import HAND, UNKNOWN
from handrefine.runs.view_files import ViewImages

#: Difference of 8-bit levels that is drawn at full strength.
FULL_RESIDUAL = 64.0
#: Strength of residuals that the fit does not look at.
FAINT = 0.3
BRIGHTER, DARKER = (222, 62, 48), (38, 112, 226)
LABEL_COLOURS = {"hand": (70, 190, 130), "not hand": (45, 52, 66), "unknown": (226, 184, 74)}
#: The hand's contour is found on a grid this many times finer than the image.
CONTOUR_GRID = 4

Rgb = UInt8[np.ndarray, "height width 3"]
Rgba = UInt8[np.ndarray, "height width 4"]


@dataclass(frozen=True, eq=False)
class Residual:
    """Render minus image: as an image, and its mean size over the pixels that were compared, in 8-bit levels."""

    image: Rgba
    mean_levels: float | None


def on_black(rgba: Rgba) -> Rgb:
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.rint(rgba[..., :3] * alpha).astype(np.uint8)


def signed_residual(view: ViewImages, rendered: Rgba) -> Residual:
    """Render minus image, of the brightness: red where the render is brighter, blue where the image is.

    It follows the fit's own comparison: where labels say hand the image is wanted, where they say not hand black
    is, and where they say nothing the render stands before the image itself, so that only covered pixels differ.
    In views where something is known, unknown pixels are faint and do not count.
    """
    unknown, hand = view.label == UNKNOWN, view.label == HAND
    photo = view.image.astype(np.float32)
    wanted = photo * (unknown | hand)[..., None]
    alpha = rendered[..., 3:].astype(np.float32) / 255
    shown = rendered[..., :3] * alpha + (1 - alpha) * photo * unknown[..., None]
    difference = (shown - wanted).mean(axis=-1)
    counted = ~unknown | unknown.all()
    compared = counted & (hand | (alpha[..., 0] > 0.5))
    mean = float(np.abs(shown - wanted)[compared].mean()) if compared.any() else None
    strength = np.clip(np.abs(difference) / FULL_RESIDUAL, 0, 1) * np.where(counted, 1, FAINT)
    colour = np.where(difference[..., None] > 0, np.array(BRIGHTER), np.array(DARKER))
    return Residual(np.dstack([colour, np.rint(255 * strength)]).astype(np.uint8), mean)


def normals_over(
    image: UInt8[np.ndarray, "_ _ 3"], normals: Rgb, covered: Bool[np.ndarray, "height width"]
) -> Rgb:
    """Normals where there is hand, over the image in faint grey, at the normals' size."""
    height, width = covered.shape
    grey = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2GRAY)
    faint = np.repeat((0.25 * 255 + 0.55 * grey)[..., None], 3, axis=-1).astype(np.uint8)
    return np.where(covered[..., None], normals, faint)


def label_image(label: UInt8[np.ndarray, "height width"]) -> Rgb:
    """Labels in their colours."""
    hand, other, unknown = (np.array(colour, np.uint8) for colour in LABEL_COLOURS.values())
    known = np.where((label == HAND)[..., None], hand, other)
    return np.where((label == UNKNOWN)[..., None], unknown, known)


def contour_path(alpha: UInt8[np.ndarray, "height width"]) -> str:
    """The line where the coverage crosses a half, as the `d` of an SVG path in the image's pixels."""
    height, width = alpha.shape
    smooth = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 0.5)
    fine = cv2.resize(smooth, (width * CONTOUR_GRID, height * CONTOUR_GRID), interpolation=cv2.INTER_LINEAR)
    inside = (fine > 127.5).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, 1.0, closed=True)[:, 0]
        if len(points) > 2:
            parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in _rounded(points)) + "Z")
    return "".join(parts)


def _rounded(points: np.ndarray) -> Float[np.ndarray, "point 2"]:
    return np.round((points + 0.5) / CONTOUR_GRID, 1)


def shrunk(image: UInt8[np.ndarray, "_ _ channel"], side_px: int) -> UInt8[np.ndarray, "_ _ channel"]:
    """The image made smaller until its longest side has at most `side_px`; never larger."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))

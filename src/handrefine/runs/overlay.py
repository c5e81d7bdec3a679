"""Images for the eye: the rendered hand's contour over the image, and renders beside it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.io.image_files import Rgb8, srgb_bytes
from handrefine.runs.judgement import HeldOutView
from handrefine.runs.result import ViewResult

#: An image is enlarged until its longest side has this many pixels, so that a line may be thin and still seen.
MIN_SIDE_PX = 384
#: Width of the line and of its dark rim in images of up to twice that size; larger ones get wider lines.
LINE_PX, OUTLINE_PX = 2.0, 4.0
BEFORE, AFTER = (255, 90, 60), (40, 225, 120)
CAPTION_PX, GAP_PX = 24, 4
#: What a view's sheet shows, from the left.
SHEET_PANELS = ("before", "after", "image", "render before", "render after")

#: The coverage (height, width) and linear RGB (height, width, 3) of one rendered view.
Rendered = tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width 3"]]


def contour_overlay(
    image_linear: Float[np.ndarray, "height width 3"],
    coverage: Float[np.ndarray, "height width"],
    colour: tuple[int, int, int] = AFTER,
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """The image in sRGB with a line where the coverage crosses 0.5.

    The line is anti-aliased and has a dark rim, so that it shows on skin and on black. Small images are enlarged
    to `MIN_SIDE_PX` before it is drawn.
    """
    height, width = enlarged_size(*coverage.shape)
    image = _enlarge(srgb_bytes(image_linear), height, width).astype(np.float32)
    distance_px = _contour_distance(coverage, height, width)
    scale = max(1.0, max(height, width) / (2 * MIN_SIDE_PX))
    for line_px, ink in ((OUTLINE_PX, (0, 0, 0)), (LINE_PX, colour)):
        alpha = np.clip((scale * line_px + 1) / 2 - distance_px, 0, 1)[..., None]
        image += alpha * (np.array(ink, dtype=np.float32) - image)
    return np.rint(image).astype(np.uint8)


def view_sheet(
    image_linear: Float[np.ndarray, "height width 3"], before: Rendered, after: Rendered, title: str
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """One view in a row: the contour before and after over the image, the image, the render before and after.

    title: stands before the first caption.
    """
    height, width = enlarged_size(*image_linear.shape[:2])
    panels = (
        contour_overlay(image_linear, before[0], BEFORE),
        contour_overlay(image_linear, after[0], AFTER),
        *(enlarged_srgb(image, height, width) for image in (image_linear, before[1], after[1])),
    )
    gap = np.full((height + CAPTION_PX, GAP_PX, 3), 255, dtype=np.uint8)
    captions = (f"{title}: {SHEET_PANELS[0]}", *SHEET_PANELS[1:])
    captioned = [_captioned(panel, text) for text, panel in zip(captions, panels, strict=True)]
    return np.concatenate([column for panel in captioned for column in (panel, gap)][:-1], axis=1)


def fitted_sheet(view: ViewResult) -> Rgb8:
    """The sheet of a view of the fit: what all hands cover."""
    before, after = ((of.coverage, of.rgb) for of in (view.before, view.after))
    return view_sheet(view.image, before, after, _name(view))


def held_out_sheet(view: HeldOutView) -> Rgb8:
    """The sheet of a view that the fit never saw: what the judged hand covers."""
    before, after = ((of.own_coverage, of.rgb) for of in (view.before, view.after))
    return view_sheet(view.image, before, after, _name(view))


def _name(view: ViewResult | HeldOutView) -> str:
    return f"camera {view.camera}, frame {view.frame}"


def contact_sheet(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """Images in rows of `columns`, scaled to the width of the narrowest, on white.

    Raises:
        ValueError: no image, or no column.
    """
    if not images or columns < 1:
        raise ValueError("a contact sheet needs at least one image and one column")
    columns = min(columns, len(images))
    width = min(image.shape[1] for image in images)
    scaled = [_scaled_to_width(image, width) for image in images]
    rows = []
    for first in range(0, len(scaled), columns):
        row = scaled[first : first + columns]
        height = max(image.shape[0] for image in row)
        sheet = np.full((height, columns * (width + GAP_PX) - GAP_PX, 3), 255, dtype=np.uint8)
        for k, image in enumerate(row):
            sheet[: image.shape[0], k * (width + GAP_PX) :][:, :width] = image
        rows += [sheet, np.full((GAP_PX, sheet.shape[1], 3), 255, dtype=np.uint8)]
    return np.concatenate(rows[:-1])


def enlarged_size(height: int, width: int) -> tuple[int, int]:
    """Height and width in which an image of this size is shown."""
    scale = max(1.0, MIN_SIDE_PX / max(height, width))
    return round(height * scale), round(width * scale)


def _contour_distance(
    coverage: Float[np.ndarray, "height width"], height: int, width: int
) -> Float[np.ndarray, "out_height out_width"]:
    """Distance in enlarged pixels to where the coverage crosses 0.5, found on a grid twice as fine.

    Coverage of a few samples a pixel, or of a binary mask, is smoothed by half a source pixel, so that the
    line shows no stairs.
    """
    smooth = cv2.GaussianBlur(np.ascontiguousarray(coverage, dtype=np.float32), (0, 0), 0.5)
    inside = cv2.resize(smooth, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR) > 0.5
    if inside.all() or not inside.any():
        return np.full((height, width), np.inf, dtype=np.float32)
    to_outside = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    to_inside = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Neighbours on either side of the line both have distance 1, and it runs half-way between them.
    fine = (np.where(inside, to_outside, to_inside) - 0.5) / 2
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)


def enlarged_srgb(
    image_linear: Float[np.ndarray, "height width 3"], height: int, width: int
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """An image as it is shown."""
    return _enlarge(srgb_bytes(image_linear), height, width)


def _enlarge(image: UInt8[np.ndarray, "_ _ 3"], height: int, width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC))


def _scaled_to_width(image: UInt8[np.ndarray, "_ _ 3"], width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    if image.shape[1] == width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def _captioned(panel: UInt8[np.ndarray, "_ _ 3"], text: str) -> UInt8[np.ndarray, "_ _ 3"]:
    strip = np.full((CAPTION_PX, panel.shape[1], 3), 255, dtype=np.uint8)
    cv2.putText(strip, text, (4, CAPTION_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([strip, panel])

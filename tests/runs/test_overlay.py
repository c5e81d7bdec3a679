"""The contour is drawn where the coverage crosses one half, and nowhere else."""

import numpy as np
import pytest

from handrefine.runs.overlay import (
    AFTER,
    BEFORE,
    CAPTION_PX,
    GAP_PX,
    MIN_SIDE_PX,
    SHEET_PANELS,
    contact_sheet,
    contour_overlay,
    enlarged_size,
    view_sheet,
)

GREEN = (0, 255, 0)


def disc(size: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    """Coverage of an anti-aliased disc; pixel (0, 0) has its centre at (0.5, 0.5)."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.clip(radius + 0.5 - np.hypot(x - centre[0], y - centre[1]), 0, 1).astype(np.float32)


def line_pixels(picture: np.ndarray) -> np.ndarray:
    """Where the ink's green prevails, as (x, y) of pixel centres."""
    r, g, b = (picture[..., k].astype(int) for k in range(3))
    y, x = np.nonzero((g > 128) & (r < 100) & (b < 100))
    return np.stack([x + 0.5, y + 0.5], axis=1)


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [96, 600])
def test_contour_lies_where_coverage_crosses_one_half(size, grey):
    centre, radius = (0.4 * size, 0.55 * size), 0.23 * size
    image = np.full((size, size, 3), grey, dtype=np.float32)
    picture = contour_overlay(image, disc(size, centre, radius), GREEN)
    assert picture.shape[:2] == enlarged_size(size, size) == (max(size, MIN_SIDE_PX),) * 2
    scale = picture.shape[0] / size
    offset = line_pixels(picture) - scale * np.array(centre)
    off_contour = np.hypot(*offset.T) - scale * radius
    assert np.abs(off_contour).max() < 1.5
    assert abs(off_contour.mean()) < 0.3
    # The circle through the line's pixels, least squares of 2 m . p + (r^2 - m^2) = p . p: not half a pixel aside.
    system = np.column_stack([2 * offset, np.ones(len(offset))])
    middle = np.linalg.lstsq(system, (offset**2).sum(axis=1), rcond=None)[0][:2]
    assert np.abs(middle).max() < 0.2
    angles = np.unique(np.round(np.degrees(np.arctan2(offset[:, 1], offset[:, 0])) / 2))
    assert len(angles) >= 180  # all the way round


def test_the_line_has_a_dark_rim_and_leaves_the_rest_alone():
    size = 600
    image = np.ones((size, size, 3), dtype=np.float32)
    picture = contour_overlay(image, disc(size, (300, 300), 150), GREEN)
    row = picture[300, 400:500].astype(int)
    crossing = 450 - 400
    assert row[crossing - 3 : crossing + 3].sum(axis=1).min() < 150
    y, x = np.mgrid[:size, :size] + 0.5
    far = np.abs(np.hypot(x - 300, y - 300) - 150) > 4
    assert (picture[far] == 255).all()


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_no_crossing_no_line(value):
    image = np.full((500, 400, 3), 0.2, dtype=np.float32)
    picture = contour_overlay(image, np.full((500, 400), value, dtype=np.float32), GREEN)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


DISCS = {10: BEFORE, 20: AFTER}


def test_view_sheet_shows_five_panels_of_one_height():
    image = np.full((60, 80, 3), 0.2, dtype=np.float32)
    black, white = np.zeros_like(image), np.ones_like(image)
    before, after = (disc(80, (40, 30), 10)[:60], black), (disc(80, (40, 30), 20)[:60], white)
    sheet = view_sheet(image, before, after, "camera 3, frame 7")
    untitled = view_sheet(image, before, after, "")
    assert (sheet[:CAPTION_PX] != untitled[:CAPTION_PX]).any()
    np.testing.assert_array_equal(sheet[CAPTION_PX:], untitled[CAPTION_PX:])
    panel_height, panel_width = enlarged_size(60, 80)
    assert sheet.shape[1] > 5 * panel_width
    assert sheet.shape[0] > panel_height
    bottom = sheet[-1]
    assert (bottom[-panel_width:] == 255).all()
    assert (bottom[-2 * panel_width : -panel_width - 10] == 0).all()
    contours = sheet[:, : 2 * ((sheet.shape[1] + GAP_PX) // len(SHEET_PANELS)) - GAP_PX]
    left, right = (contour_overlay(image, disc(80, (40, 30), radius)[:60], ink) for radius, ink in DISCS.items())
    assert (contours[CAPTION_PX:, :panel_width] == left).all()
    assert (contours[CAPTION_PX:, -panel_width:] == right).all()


def test_contact_sheet_keeps_every_picture():
    pictures = [np.full((40 + 10 * k, 100 * (1 + k % 2), 3), 40 * k, dtype=np.uint8) for k in range(5)]
    sheet = contact_sheet(pictures, columns=2)
    assert sheet.shape[1] // 100 == 2
    assert {0, 40, 80, 120, 160} <= set(np.unique(sheet))
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], columns=2)

"""A finished run is shown as lines: labels as areas, outlines before and after, and nothing of the photograph."""

from dataclasses import replace

import numpy as np
from benchmarks.real.line_drawings import CAPTION_PX, INK, MASK
from benchmarks.real.run_drawings import OPEN, view_drawing

from handrefine.runs.result import HAND, UNKNOWN, ViewRender, ViewResult
from handrefine.sequence import FrameId


def covered(columns: slice) -> ViewRender:
    share = np.zeros((60, 80), np.float32)
    share[15:45, columns] = 1
    return ViewRender(np.zeros((60, 80, 3), np.float32), share, share)


def view() -> ViewResult:
    label = np.zeros((60, 80), np.uint8)
    label[10:50, 20:60], label[:, 70:] = HAND, UNKNOWN
    image = np.random.default_rng(0).random((60, 80, 3)).astype(np.float32)
    before, after = covered(slice(10, 40)), covered(slice(25, 55))
    return ViewResult(FrameId(3), "00", (0, 0, 80, 60), (80, 60), image, label, before, after)


def leftmost(drawing: np.ndarray, colour: tuple[int, int, int]) -> float:
    """Where a colour begins, in pixels of the view."""
    columns = np.flatnonzero((drawing[CAPTION_PX:] == colour).all(axis=-1).any(axis=0))
    return columns[0] * 80 / drawing.shape[1]


def test_labels_are_areas_and_outlines_are_lines_where_they_lie() -> None:
    drawing = view_drawing(view(), "a view")
    places = {"mask": MASK, "open": OPEN, "before": INK["before"], "after": INK["after"]}
    found = {name: leftmost(drawing, colour) for name, colour in places.items()}
    assert np.allclose([found[name] for name in places], [20, 70, 10, 25], atol=1.5), found


def test_a_drawing_holds_nothing_of_the_image() -> None:
    dark = replace(view(), image=np.zeros((60, 80, 3), np.float32))
    assert np.array_equal(view_drawing(dark, "a view"), view_drawing(view(), "a view"))

"""The picture of an import: some frames in all cameras, detections as dots and the joints' projection as lines."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from handrefine.sequence import BONES

#: Colours of the right and the left hand, RGB.
_LINES, _DOTS = ((40, 220, 60), (60, 160, 255)), (255, 60, 60)
_WIDTH_PX = 480


def drawn_view(
    image: UInt8[np.ndarray, "height width 3"], projected: np.ndarray, detected: np.ndarray
) -> UInt8[np.ndarray, "_ _ 3"]:
    """One view, reduced in size.

    Args:
        projected, detected: (2, 21, 2) in pixels of the image, NaN where there is nothing.
    """
    scale = _WIDTH_PX / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for side in range(2):
        for a, b in BONES:
            ends = np.stack([projected[side, a], projected[side, b]]) * scale
            if np.isfinite(ends).all() and np.abs(ends).max() < 1e4:
                one, other = ends.round().astype(int).tolist()
                cv2.line(small, one, other, _LINES[side], 1, cv2.LINE_AA)
        for point in detected[side] * scale:
            if np.isfinite(point).all():
                cv2.circle(small, point.round().astype(int).tolist(), 2, _DOTS, 1, cv2.LINE_AA)
    return small


def sheet(
    views: Mapping[tuple[int, str], UInt8[np.ndarray, "_ _ 3"]], rows: Sequence[int], columns: Sequence[str]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The views side by side: a row a frame, a column a camera, each with its name; black where one is missing."""
    heights = {view.shape[0] for view in views.values()}
    height = max(heights, default=10)
    lines = []
    for row in rows:
        cells = []
        for column in columns:
            cell = np.zeros((height + 18, _WIDTH_PX, 3), np.uint8)
            view = views.get((row, column))
            if view is not None:
                cell[18 : 18 + view.shape[0], : view.shape[1]] = view[:, :_WIDTH_PX]
            text = f"frame {row}, camera {column}"
            cv2.putText(cell, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230, 230, 230), 1, cv2.LINE_AA)
            cells.append(cell)
        lines.append(np.concatenate(cells, axis=1))
    return np.concatenate(lines, axis=0)

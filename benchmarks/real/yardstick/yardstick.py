"""Hand-drawn outlines of the visible hands up to the wrist, and what they say of a rendered hand.

Coordinates are pixels of the full image, the centre of pixel (0, 0) at (0.5, 0.5). Nothing here is differentiable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from handrefine.datasets.parsing import as_finite, as_list, as_object, read_json_object, require
from handrefine.errors import InputError
from handrefine.evaluation.contours import contour_distance_px
from handrefine.sequence import Side

REAL_MULTIVIEW = Path(__file__).with_name("real_multiview.json")

#: Past the wrist nothing is judged within this many lengths of the wrist's line: the model's stub ends before.
PAST_WRIST_DEPTH = 1.0
#: The stub may be wider than the forearm; by this share of the wrist's line on either side.
PAST_WRIST_MARGIN = 0.25
#: A pixel belongs to an outline where at least half of its area does, counted on a grid this many times finer.
SUBPIXELS = 8

Ring = Float[np.ndarray, "vertex 2"]
Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class HandOutline:
    """One hand in one view.

    rings: outer outlines and holes of the visible hand up to the wrist (even-odd).
    wrist: the two ends of the wrist's line; None where wrist and forearm hide behind the hand itself.
    forearm: the visible skin past the wrist, as far as it was drawn.
    """

    rings: tuple[Ring, ...]
    wrist: Float[np.ndarray, "2 2"] | None
    forearm: tuple[Ring, ...]


@dataclass(frozen=True, eq=False)
class View:
    """What was drawn in one camera; `unsure` are rings of what could not be decided."""

    right: HandOutline
    left: HandOutline
    unsure: tuple[Ring, ...]

    def hand(self, side: Side) -> HandOutline:
        return self.right if side == "right" else self.left

    def other(self, side: Side) -> HandOutline:
        return self.left if side == "right" else self.right


@dataclass(frozen=True)
class Figures:
    """How well a region agrees with a hand; None where there is nothing to compare."""

    contour_px: float | None
    iou: float | None
    precision: float | None
    recall: float | None


def load(path: Path = REAL_MULTIVIEW) -> dict[str, View]:
    """The views of a yardstick by camera name.

    Raises:
        InputError: the file is missing, damaged, or a hand has no outline.
    """
    views = as_object(require(read_json_object(path), "views", str(path)), f"{path}, views")
    return {camera: _view(view, f"{path}, camera {camera}") for camera, view in views.items()}


def mask(view: View, side: Side, height: int, width: int) -> Region:
    """Pixels of the visible hand up to the wrist."""
    return filled(view.hand(side).rings, height, width)


def judged(view: View, side: Side, height: int, width: int, *, other_modelled: bool = True) -> Region:
    """Pixels that count for a hand: all but the unsure ones, the forearms, and what lies past its own wrist.

    Past the wrist is a rectangle on the wrist's line, away from the hand, without the hand's own pixels (fingers
    may lie over the forearm).

    other_modelled: False where only this hand was rendered; what the other one hides is then unknown.
    """
    hand, other = view.hand(side), view.other(side)
    past = filled(_past_wrist(hand), height, width) & ~mask(view, side, height, width)
    left_out = past | filled(view.unsure, height, width)
    for outline in (hand, other):
        left_out |= filled(outline.forearm, height, width)
    return ~left_out if other_modelled else ~left_out & ~filled(other.rings, height, width)


def figures(covered: Region, view: View, side: Side, *, other_modelled: bool = True) -> Figures:
    """Agreement of a hand's own share of a render with its drawn outline, inside the judged region.

    With C the covered and M the drawn pixels that are judged: `IoU = |C & M| / |C | M|`,
    `precision = |C & M| / |C|`, `recall = |C & M| / |M|`. The contour's distance is that of
    `contour_distance_px`: the mean of both directions.

    Args:
        covered: pixels of the full image in which this hand is seen. Where both hands are rendered, the nearer one
            hides the other's.
    """
    height, width = covered.shape
    counted = judged(view, side, height, width, other_modelled=other_modelled)
    drawn = mask(view, side, height, width)
    ours, theirs = covered & counted, drawn & counted
    both = ours & theirs
    return Figures(
        contour_px=contour_distance_px(covered, drawn, counted),
        iou=_share(both, ours | theirs),
        precision=_share(both, ours),
        recall=_share(both, theirs),
    )


def filled(rings: Sequence[Ring], height: int, width: int) -> Region:
    """Pixels of which at least half lies inside an odd number of rings."""
    region = np.zeros((height, width), bool)
    if not rings:
        return region
    corners = np.concatenate(rings)
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (width, height))
    if x1 <= x0 or y1 <= y0:
        return region
    fine = np.zeros(((y1 - y0) * SUBPIXELS, (x1 - x0) * SUBPIXELS), np.uint8)
    # OpenCV counts from the centre of the first pixel, in sixteenths.
    drawn = [np.round(((ring - (x0, y0)) * SUBPIXELS - 0.5) * 16).astype(np.int32) for ring in rings]
    cv2.fillPoly(fine, drawn, 255, cv2.LINE_8, 4)
    share = cv2.resize(fine.astype(np.float32), (int(x1 - x0), int(y1 - y0)), interpolation=cv2.INTER_AREA)
    region[y0:y1, x0:x1] = share >= 127.5
    return region


def _past_wrist(hand: HandOutline) -> tuple[Ring, ...]:
    """The rectangle beyond the wrist's line, on the side where the hand is not."""
    if hand.wrist is None:
        return ()
    start, end = hand.wrist
    along = end - start
    away = np.array([-along[1], along[0]])
    if away @ (_centre(hand.rings) - start) > 0:
        away = -away
    near = start - PAST_WRIST_MARGIN * along, end + PAST_WRIST_MARGIN * along
    return (np.array([near[0], near[1], near[1] + PAST_WRIST_DEPTH * away, near[0] + PAST_WRIST_DEPTH * away]),)


def _centre(rings: Sequence[Ring]) -> Float[np.ndarray, "2"]:
    """Centre of the largest ring's area."""
    moments = cv2.moments(max(rings, key=lambda ring: cv2.contourArea(ring.astype(np.float32))).astype(np.float32))
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"]


def _share(part: Region, of: Region) -> float | None:
    total = np.count_nonzero(of)
    return float(np.count_nonzero(part) / total) if total else None


def _view(view: object, where: str) -> View:
    right, left = (_hand(require(view, side, where), f"{where}, {side} hand") for side in ("right", "left"))
    return View(right, left, _rings(require(view, "unsure", where), where))


def _hand(hand: object, where: str) -> HandOutline:
    rings, wrist = _rings(require(hand, "rings", where), where), require(hand, "wrist", where)
    if not rings:
        raise InputError("a hand has no outline", where=where, expected="one ring or more")
    ends = None if wrist is None else as_finite(wrist, (2, 2), where)
    return HandOutline(rings, ends, _rings(require(hand, "forearm", where), where))


def _rings(rings: object, where: str) -> tuple[Ring, ...]:
    return tuple(as_finite(ring, (len(as_list(ring, where)), 2), where) for ring in as_list(rings, where))

"""The verdict on every frame, and what it rests on."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from handrefine.report.contents import RunContents
from handrefine.report.markup import table
from handrefine.sequence import FrameId

#: Columns of evidence: key, heading, factor, digits.
EVIDENCE = (
    ("misfit", "misfit, %", 100.0, 1),
    ("misfit_held_out", "misfit held out, %", 100.0, 1),
    ("colour", "colour, %", 100.0, 1),
    ("colour_held_out", "colour held out, %", 100.0, 1),
    ("jump_mm", "jump, mm", 1.0, 1),
    ("moved_mm", "moved, mm", 1.0, 1),
    ("std_mm", "std, mm", 1.0, 1),
)
TOLD = (
    "What can be said of every frame without any truth, and how sure that is. Misfit: pixels at which render and"
    " labels differ, as a share of the labelled hand. Jump: distance of the joints from where their neighbours in"
    " time put them. Std: by how much the joints' places are uncertain."
)


def frame_verdicts(contents: RunContents) -> str:
    """A row a frame, and only columns in which something stands; nothing where no frame was judged."""
    if not contents.verdicts:
        return ""
    evidence: dict[FrameId, Mapping[str, Any]] = {
        frame: known if isinstance(known := of.get("evidence"), Mapping) else {}
        for frame, of in contents.verdicts.items()
    }
    columns = [
        column
        for column in EVIDENCE
        if any(_cell(known.get(column[0]), *column[2:]) for known in evidence.values())
    ]
    head = ("frame", "verdict", "confidence", *(heading for _, heading, _, _ in columns), "views")
    rows = []
    for frame, of in contents.verdicts.items():
        known = evidence[frame]
        cells = [_cell(known.get(key), factor, digits) for key, _, factor, digits in columns]
        held_out = f" + {known['n_held_out']}" if known.get("n_held_out") else ""
        views = f"{known.get('n_views', '')}{held_out}"
        sure = f"{100 * of['confidence']:.0f} %"
        rows.append((str(frame), escape(str(of["verdict"])), sure, *cells, escape(views)))
    return f'<p class="small">{escape(TOLD)}</p>' + table(head, rows, kind="verdicts")


def _cell(value: object, factor: float, digits: int) -> str:
    """A figure, or what it was before and is after."""
    if not isinstance(value, Mapping):
        return _number(value, factor, digits)
    before, after = (_number(value.get(moment), factor, digits) for moment in ("before", "after"))
    return f"{before} \u2192 {after}" if before and after else before or after


def _number(value: object, factor: float, digits: int) -> str:
    return f"{value * factor:.{digits}f}" if isinstance(value, int | float) and math.isfinite(value) else ""

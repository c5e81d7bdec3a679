"""Writing the report of a run, of one hand or of several."""

import logging
from pathlib import Path

from handrefine.errors import InputError
from handrefine.report.hands import write_reports_of_hands
from handrefine.report.page import write_report_of_hand
from handrefine.runs.reader import open_run

log = logging.getLogger(__name__)


def write_report(path: Path, out: Path | None = None) -> Path:
    """Write one HTML page that shows a run: figures, curves, every view before and after, texture and light.

    The page holds its images, style and script itself, and its own policy forbids it to load anything. Pieces
    that the folder lacks are left out, with a note on the page. A run of several hands gets a page in each hand's
    folder, and one that leads to them.

    Args:
        path: a finished run folder.
        out: the file to write; `report.html` in the run folder when missing.

    Returns:
        The page; that of several hands leads to theirs.

    Raises:
        InputError: this is no run folder, or `out` is given for a run of several hands.
    """
    run = open_run(path)
    if not run.layout.metrics.is_file():
        raise InputError(
            "this is not a finished run folder", where=path, expected=f"a folder with {run.layout.metrics.name}"
        )
    if len(run.hands) == 1:
        return write_report_of_hand(run.hands[0], out)
    if out is not None:
        raise InputError(
            "a run of both hands has a page for each, which one file cannot hold",
            where=path,
            found=f"--out {out}",
            fix="leave --out away, or give " + " or ".join(str(hand.layout.root) for hand in run.hands),
        )
    return write_reports_of_hands(run)


def report_of_finished_run(path: Path) -> None:
    """Write the page at the end of a run. Whatever goes wrong is told, but never costs the run its result."""
    try:
        write_report(path)
    except Exception:
        log.exception("the report of %s could not be made; the run itself is complete", path)

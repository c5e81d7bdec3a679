"""Writing the report of a run, of one hand or of both."""

import logging
from pathlib import Path

from handrefine.errors import InputError
from handrefine.report.both_hands import write_reports_of_hands
from handrefine.report.page import write_report_of_hand
from handrefine.runs.both_hands import runs_of_hands

log = logging.getLogger(__name__)


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write one HTML page that shows a run: figures, curves, every view before and after, texture and light.

    The page holds its pictures, style and script itself, and its own policy forbids it to load anything. Pieces
    that the folder lacks are left out, with a note on the page. A run of both hands gets a page in each hand's
    folder, and one that leads to them.

    Args:
        run: a finished run folder.
        out: the file to write; `report.html` in the run folder when missing.

    Returns:
        The page; that of both hands leads to theirs.

    Raises:
        InputError: this is no run folder, or `out` is given for a run of both hands.
    """
    hands = runs_of_hands(run)
    if not hands:
        return write_report_of_hand(run, out)
    if out is not None:
        raise InputError(
            "a run of both hands has a page for each, which one file cannot hold",
            where=run,
            found=f"--out {out}",
            fix="leave --out away, or give " + " or ".join(str(folder) for folder in hands.values()),
        )
    return write_reports_of_hands(run, hands)


def report_of_finished_run(run: Path) -> None:
    """Write the page at the end of a run. Whatever goes wrong is told, but never costs the run its result."""
    try:
        write_report(run)
    except Exception:
        log.exception("the report of %s could not be made; the run itself is complete", run)

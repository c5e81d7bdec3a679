"""`handrefine report`: a finished run as one page for the browser."""

import logging
from pathlib import Path

from rich.console import Console

from handrefine.output.report import write_report

log = logging.getLogger(__name__)


def report(run: Path, out: Path | None, *, console: Console) -> None:
    """Write the page and say where it is.

    Raises:
        InputError: this is no run folder.
    """
    page = write_report(run, out)
    console.print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB, one file, needs no network)")


def report_of_finished_run(run: Path) -> None:
    """Write the page at the end of a run. Whatever goes wrong is told, but never costs the run its result."""
    try:
        write_report(run)
    except Exception:
        log.exception("the report of %s could not be made; the run itself is complete", run)

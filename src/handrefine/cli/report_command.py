"""`handrefine report`: a finished run as one page for the browser."""

from pathlib import Path

from rich.console import Console

from handrefine.report import write_report
from handrefine.runs.both_hands import runs_of_hands


def report(run: Path, out: Path | None, *, console: Console) -> None:
    """Write the page, or those of both hands, and say where it is.

    Raises:
        InputError: this is no run folder, or `out` is given for a run of both hands.
    """
    page, hands = write_report(run, out), runs_of_hands(run)
    told = (
        "leads to a page for each hand"
        if hands
        else f"{page.stat().st_size / 1e6:.1f} MB, one file, needs no network"
    )
    console.print(f"report: {page} ({told})", markup=False, highlight=False)

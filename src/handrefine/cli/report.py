"""`handrefine report`: a finished run as one page for the browser."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handrefine.cli.common import Common, RunArgument


@dataclass(frozen=True, kw_only=True)
class Report(Common):
    """Show a finished run as one HTML page: figures, curves, every view before and after, texture and light."""

    run: RunArgument
    """Run folder."""
    out: Path | None = None
    """File to write; report.html in the run folder when missing."""

    def __call__(self, console: Console) -> None:
        from handrefine.report import write_report
        from handrefine.runs.reader import open_run

        page = write_report(self.run, self.out)
        if len(open_run(self.run).hands) > 1:
            told = "leads to a page for each hand"
        else:
            told = f"{page.stat().st_size / 1e6:.1f} MB, one file, needs no network"
        console.print(f"report: {page} ({told})", markup=False, highlight=False)

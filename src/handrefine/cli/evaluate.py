"""`handrefine evaluate`: a finished run against a synthetic video's truth, or on cameras that it never saw."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from handrefine.cli.common import Common, RunArgument, names
from handrefine.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Evaluate(Common):
    """Measure a finished run anew, against a truth or on cameras that its fit never saw; completes metrics.json.

    A run of several hands is measured hand by hand and as a whole; its report is written anew.
    """

    run: RunArgument
    """Run folder."""
    truth: Path | None = None
    """The dataset's truth.npz, where it is synthetic."""
    data: Path | None = None
    """The dataset that was refined, for its other cameras."""
    cameras: str | None = None
    """Comma-separated names of cameras in --data that the fit did not use; all of these when missing."""
    format: str = "auto"
    """Layout of --data, as for refine."""
    sequence: str | None = None
    """Name of the sequence in --data, as for refine."""

    def __call__(self, console: Console) -> None:
        from handrefine.evaluate_run import evaluate_against_truth, evaluate_on_cameras

        if self.truth is None and self.data is None:
            raise InputError(
                "there is nothing to measure the run against",
                where=self.run,
                expected="--truth FILE or --data DIR",
            )
        if self.truth is not None:
            evaluate_against_truth(self.run, self.truth)
            show_against_truth(self.run, self.truth, console)
        if self.data is not None:
            from handrefine.cli.tables import holdout_table

            report = evaluate_on_cameras(
                self.run, self.data, names(self.cameras), format=self.format, sequence=self.sequence
            )
            console.print(holdout_table(report.together))


def show_against_truth(run: Path, truth: Path, console: Console) -> None:
    """The figures of every hand of a run that has been measured."""
    from handrefine.cli.tables import before_after_table
    from handrefine.runs.reader import open_run

    for hand in open_run(run).hands:
        title = escape(f"{hand.side} hand against {truth.name}")
        console.print(before_after_table(hand.metrics, title=title))

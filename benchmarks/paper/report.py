"""Reporting an experiment: its JSON, its plot, its section in the README, its metrics on the screen."""

from collections.abc import Sequence

from benchmarks.paper.claims import claims
from benchmarks.paper.options import Options
from benchmarks.paper.plots import plot
from benchmarks.paper.runs import Scale
from benchmarks.paper.store import Sample
from benchmarks.paper.tables import table
from rich.console import Console


def report(options: Options, scale: Scale, samples: Sequence[Sample], console: Console) -> int:
    """Save and show everything; 1 where `--gate` finds a target missed."""
    plot(options.experiment, samples, options.results / f"{options.name}.png")
    claims(options.experiment, samples, with_targets=not options.quick)
    console.print(table(options.experiment, samples))
    return 0

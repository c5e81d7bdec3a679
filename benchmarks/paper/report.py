"""Reporting an experiment: its JSON, its plot, its section in the README, its metrics on the screen."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import Outcome, finish
from benchmarks.paper.claims import claims
from benchmarks.paper.options import Options
from benchmarks.paper.plots import plot
from benchmarks.paper.runs import Scale
from benchmarks.paper.store import Sample
from benchmarks.paper.tables import table
from benchmarks.readme import update_section


def report(options: Options, scale: Scale, samples: Sequence[Sample], complete: bool, console: Console) -> int:
    """Save and show everything; 1 where `--gate` finds a target missed, or runs that were never made."""
    if not options.quick:
        text = f"{table(options.experiment, samples)}\n\n{_method(scale, samples, complete)}"
        update_section(options.readme, options.name, text)
    else:
        console.print(table(options.experiment, samples))
    outcome = Outcome(
        claims(options.experiment, samples, with_targets=not options.quick),
        samples,
        sorted({sample["video"] for sample in samples}),
    )
    chosen = Namespace(quick=options.quick, gate=options.gate, results=options.results)

    def draw(_: object, path: Path) -> None:
        plot(options.experiment, samples, path)

    status = finish(options.name, outcome, chosen, draw, module="paper")
    return status or int(options.gate and not complete)


def _method(scale: Scale, samples: Sequence[Sample], complete: bool) -> str:
    def listed(field: str) -> str:
        return ", ".join(sorted({str(sample[field]) for sample in samples}))

    part = "" if complete else " Not all runs have been made."
    return (
        f"Means ± standard deviations over videos (seeds {listed('video')}; settings were tuned on seeds from "
        f"1000 on), {scale.frames} frames, {scale.size} x {scale.size} px, start {scale.error_mm:g} mm off."
        f"{part} Machine: {listed('machine')}. Commits: {listed('commit')}."
    )

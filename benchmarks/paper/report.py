"""Reporting an experiment: its JSON, its plot, its section in the README, its metrics on the screen."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.paper.claims import Claim, claims
from benchmarks.paper.options import Options
from benchmarks.paper.plots import plot
from benchmarks.paper.runs import Scale
from benchmarks.paper.store import Sample
from benchmarks.paper.tables import table
from handrefine.output.files import whole_file, write_json


def report(options: Options, scale: Scale, samples: Sequence[Sample], complete: bool, console: Console) -> int:
    """Save and show everything; 1 where `--gate` finds a target missed, or runs that were never made."""
    found = claims(options.experiment, samples, with_targets=not options.quick)
    plot(options.experiment, samples, options.results / f"{options.name}.png")
    write_json(options.results / f"{options.name}.json", _document(options, scale, samples, found))
    if not options.quick:
        text = f"{table(options.experiment, samples)}\n\n{_method(scale, samples, complete)}"
        update_section(options.results.parent / "README.md", options.name, text)
    console.print(_metrics(options.name, found))
    short = any(claim.reached is False for claim in found) or not complete
    return int(options.gate and short)


def update_section(path: Path, name: str, text: str) -> None:
    """Put the text between a Markdown file's marks of that name; append it with marks where there are none."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = path.read_text() if path.exists() else ""
    before, found, rest = old.partition(begin)
    after = rest.partition(end)[2] if found else "\n"
    separator = "" if found or not before else "\n"
    with whole_file(path) as temporary:
        temporary.write_text(f"{before}{separator}{begin}\n{text}\n{end}{after}")


def _document(
    options: Options, scale: Scale, samples: Sequence[Sample], found: Sequence[Claim]
) -> dict[str, object]:
    return {
        "name": options.name,
        "command": " ".join(["python -m benchmarks.paper", *sys.argv[1:]]),
        "scale": asdict(scale),
        "seeds": sorted({sample["video"] for sample in samples}),
        "metrics": [
            {
                "key": claim.key,
                "value": claim.figure.mean,
                "std": claim.figure.std,
                "values": claim.figure.values,
                "unit": claim.unit,
                "better": claim.better,
                "target": claim.target,
                "reached": claim.reached,
            }
            for claim in found
        ],
        "samples": samples,
    }


def _method(scale: Scale, samples: Sequence[Sample], complete: bool) -> str:
    def listed(field: str) -> str:
        return ", ".join(sorted({str(sample[field]) for sample in samples}))

    part = "" if complete else " Not all runs have been made."
    return (
        f"Means ± standard deviations over videos (seeds {listed('video')}; settings were tuned on seeds from "
        f"1000 on), {scale.instants} instants, {scale.size} x {scale.size} px, start {scale.error_mm:g} mm off."
        f"{part} Machine: {listed('machine')}. Commits: {listed('commit')}."
    )


def _metrics(title: str, found: Sequence[Claim]) -> Table:
    shown = Table("metric", "value", "unit", "target", "", title=title)
    for claim in found:
        verdict = {None: "", True: "reached", False: "[red]short[/]"}[claim.reached]
        target = "" if claim.target is None else f"{'<=' if claim.better == 'lower' else '>='} {claim.target:g}"
        shown.add_row(claim.key, str(claim.figure), claim.unit, target, verdict)
    return shown

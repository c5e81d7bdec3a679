"""Performing an experiment: measure what is missing, run by run, then report all that is there."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console

from benchmarks.paper.laboratory import Laboratory
from benchmarks.paper.options import Options
from benchmarks.paper.report import report
from benchmarks.paper.runs import Run, configuration, runs_of, selected
from benchmarks.paper.store import SampleStore
from benchmarks.provenance import provenance
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.progress import SilentProgress


def perform(options: Options, console: Console) -> int:
    """The exit status: 1 where `--gate` finds a target missed."""
    scale = options.scale()
    plan = {run: configuration(run, scale.changes) for run in runs_of(options.experiment, scale)}
    store = SampleStore(options.results / f"paper-runs{'-quick' if options.quick else ''}.json")
    missing = [run for run in selected(list(plan), options.only) if store.find(run, plan[run]) is None]
    render = config_from_mapping({"render": scale.changes.get("render", {})}).render
    _measure(missing, plan, store, Laboratory(render), console)
    samples = [sample for run, config in plan.items() if (sample := store.find(run, config)) is not None]
    console.print(f"{len(samples)} of {len(plan)} runs are there")
    if not samples:
        return int(options.gate)
    return report(options, scale, samples, len(samples) == len(plan), console)


def _measure(
    runs: Sequence[Run],
    plan: Mapping[Run, Config],
    store: SampleStore,
    laboratory: Laboratory,
    console: Console,
) -> None:
    started = time.perf_counter()
    for number, run in enumerate(runs, 1):
        sample = store.add(run, plan[run], laboratory.measure(run, plan[run], SilentProgress()) | provenance())
        left_min = (time.perf_counter() - started) / number * (len(runs) - number) / 60
        before, after = (sample[moment]["vertex_error_mm"] for moment in ("before", "after"))
        console.print(
            f"{number}/{len(runs)} {run}: {before:.2f} -> {after:.3f} mm in {sample['seconds']:.0f} s; "
            f"about {left_min:.0f} min left"
        )

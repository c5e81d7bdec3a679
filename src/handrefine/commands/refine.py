"""`handrefine refine`: from a dataset folder to a run folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from handrefine.commands.both_hands import BOTH, run_both
from handrefine.commands.report import report_of_finished_run
from handrefine.config import Config, stages_of
from handrefine.data.interhand26m import read_interhand26m
from handrefine.output.progress import progress_for
from handrefine.output.report import REPORT_FILE
from handrefine.output.run_folder import RunFolder
from handrefine.output.run_warnings import collected_warnings
from handrefine.output.table import before_after_table, holdout_table
from handrefine.progress import Progress
from handrefine.refine.cameras import automatic_count, cameras_that_see_most
from handrefine.refine.holdout import measure_holdout, split_off
from handrefine.refine.loop import Monitor
from handrefine.refine.measure import metrics_without_truth
from handrefine.refine.refinement import Refinement, refine
from handrefine.refine.save import resolved_configuration, save_refinement
from handrefine.sequence import Hands, HandSequence, Side


def refine_folder(
    data: Path,
    out: Path,
    hands: Hands,
    config: Config,
    *,
    cameras: str | None = None,
    holdout: str | None = None,
    overwrite: bool = False,
    console: Console,
) -> None:
    """Read, refine, save, and show the tables.

    cameras: comma-separated names, or `auto:N` for the N that see most of the hands; all when missing.
    holdout: comma-separated names of cameras that are kept from the fit and judge it.
    """
    sequence, held_out = _read(data, hands, cameras, holdout, config)
    progress = run_progress(config, console)
    if hands == "both":
        _, metrics = run_both(sequence, config, out, held_out=held_out, overwrite=overwrite, progress=progress)
        for side in BOTH:
            own = metrics["hands"][side] if isinstance(metrics["hands"], Mapping) else {}
            console.print(before_after_table(own, title=f"{sequence.name}, {side} hand"))
        pages = [out / side / REPORT_FILE for side in BOTH]
    else:
        _, metrics = run(sequence, hands, config, out, held_out=held_out, overwrite=overwrite, progress=progress)
        console.print(before_after_table(metrics, title=f"{sequence.name}, {hands} hand"))
        pages = [out / REPORT_FILE]
    if held_out is not None:
        console.print(holdout_table(json.loads((out / "holdout.json").read_text(encoding="utf-8"))))
        if not held_out.masks:
            console.print("The held-out cameras have no masks: only their colours could be judged.")
    console.print(f"run folder: {out}   (open {' and '.join(map(str, pages))} in a browser)")


def _read(
    data: Path, hands: Hands, cameras: str | None, holdout: str | None, config: Config
) -> tuple[HandSequence, HandSequence | None]:
    """The video to fit, and that of the held-out cameras."""
    chosen = None
    if cameras is not None and automatic_count(cameras) is None:
        chosen = _names(cameras)
    held = [] if holdout is None else _names(holdout)
    sequence = read_interhand26m(data, cameras=None if chosen is None else list(dict.fromkeys([*chosen, *held])))
    held_out = None
    if held:
        sequence, held_out = split_off(sequence, held)
    if cameras is not None and (count := automatic_count(cameras)) is not None:
        sequence = sequence.with_cameras(cameras_that_see_most(sequence, hands, count, config))
    return sequence, held_out


def _names(option: str) -> list[str]:
    return [name.strip() for name in option.split(",")]


def run(
    sequence: HandSequence,
    side: Side,
    config: Config,
    out: Path,
    *,
    held_out: HandSequence | None = None,
    overwrite: bool = False,
    progress: Progress,
    monitor: Monitor | None = None,
) -> tuple[Refinement, Mapping[str, object]]:
    """Refine one hand into a run folder; returns the result and what its `metrics.json` holds.

    Args:
        held_out: the same video, by cameras that are not in `sequence` and only judge the result.

    Raises:
        InputError: as `refine`, or the run folder is taken.
    """
    with RunFolder.create(out, overwrite=overwrite) as folder:
        folder.write_yaml("config.yaml", resolved_configuration(sequence, side, config))
        try:
            with collected_warnings() as warnings:
                refinement = refine(
                    sequence, side, config, progress=progress, record=folder.append_log, monitor=monitor
                )
        finally:
            progress.close()
        metrics = metrics_without_truth(refinement)
        if held_out is not None:
            report, _ = measure_holdout([refinement], held_out)
            metrics["holdout"] = report["mean"]
            folder.write_json("holdout.json", report)
        save_refinement(refinement, metrics, folder)
        folder.write_json("warnings.json", warnings)
        report_of_finished_run(folder.partial)
    return refinement, metrics


def run_progress(config: Config, console: Console) -> Progress:
    """A reporter for the whole schedule of a configuration."""
    return progress_for(console, sum(stage.iterations for _, stage in stages_of(config.schedule)))

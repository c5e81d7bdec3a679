"""`handrefine refine`: from a dataset folder to a run folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from handrefine.cli.both_hands_command import BOTH, run_both
from handrefine.cli.progress import progress_for
from handrefine.cli.tables import before_after_table, holdout_table
from handrefine.config import Config, stages_of
from handrefine.datasets.registry import AUTO, read_dataset
from handrefine.evaluation.held_out import measure_holdout, split_off
from handrefine.evaluation.run_metrics import metrics_without_truth
from handrefine.preprocess.camera_selection import automatic_count, cameras_that_see_most
from handrefine.progress import Progress
from handrefine.refinement.refine import Refinement, refine
from handrefine.refinement.stages import Monitor
from handrefine.report import REPORT_FILE, report_of_finished_run
from handrefine.runs.folder import RunFolder, refuse_overlap
from handrefine.runs.writer import resolved_configuration, save_holdout, save_refinement
from handrefine.sequence import Hands, HandSequence, Side


def refine_folder(
    data: Path,
    out: Path,
    hands: Hands,
    config: Config,
    *,
    format: str = AUTO,
    name: str | None = None,
    cameras: str | None = None,
    holdout: str | None = None,
    overwrite: bool = False,
    console: Console,
) -> None:
    """Read, refine, save, and show the tables.

    format, name: layout of the dataset and name of the sequence, see `read_dataset`.
    cameras: comma-separated names, or `auto:N` for the N that see most of the hands; all when missing.
    holdout: comma-separated names of cameras that are kept from the fit and judge it.

    Raises:
        InputError: `data` and `out` lie in one another, or as `read_dataset`, `run` and `run_both`.
    """
    refuse_overlap(data, out)
    whole = _read(data, cameras, holdout, format, name)
    sequence, held_out = (whole, None) if holdout is None else split_off(whole, _names(holdout))
    if cameras is not None and (count := automatic_count(cameras)) is not None:
        sequence = sequence.with_cameras(cameras_that_see_most(sequence, hands, count, config))
    progress = run_progress(config, console)
    if hands == "both":
        _, metrics = run_both(sequence, config, out, held_out=held_out, overwrite=overwrite, progress=progress)
        for side in BOTH:
            own = metrics["hands"][side] if isinstance(metrics["hands"], Mapping) else {}
            console.print(before_after_table(own, title=f"{sequence.name}, {side} hand"))
    else:
        _, metrics = run(sequence, hands, config, out, held_out=held_out, overwrite=overwrite, progress=progress)
        console.print(before_after_table(metrics, title=f"{sequence.name}, {hands} hand"))
    if held_out is not None:
        console.print(holdout_table(json.loads((out / "holdout.json").read_text(encoding="utf-8"))))
        if not held_out.masks:
            console.print("The held-out cameras have no masks: only their colours could be judged.")
    console.print(f"run folder: {out}   (open {out / REPORT_FILE} in a browser)")


def _read(data: Path, cameras: str | None, holdout: str | None, format: str, name: str | None) -> HandSequence:
    """The video of the cameras that are named, the held-out ones among them, or of all."""
    named = None
    if cameras is not None and automatic_count(cameras) is None:
        held = [] if holdout is None else _names(holdout)
        named = list(dict.fromkeys([*_names(cameras), *held]))
    return read_dataset(data, format=format, sequence=name, cameras=named)


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
            refinement = refine(
                sequence, side, config, progress=progress, record=folder.append_log, monitor=monitor
            )
        finally:
            progress.close()
        metrics = metrics_without_truth(refinement)
        if held_out is not None:
            report = measure_holdout([refinement], held_out)
            metrics["holdout"] = report.together["mean"]
            save_holdout(report, 0, folder)
        save_refinement(refinement, metrics, folder)
        report_of_finished_run(folder.partial)
    return refinement, metrics


def run_progress(config: Config, console: Console) -> Progress:
    """A reporter for the whole schedule of a configuration."""
    return progress_for(console, sum(stage.iterations for _, stage in stages_of(config.schedule)))

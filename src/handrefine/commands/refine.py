"""`handrefine refine`: from a dataset folder to a run folder."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from handrefine.config import Config, stages_of
from handrefine.data.registry import AUTO, read_dataset
from handrefine.output.progress import progress_for
from handrefine.output.report import REPORT_FILE, report_of_finished_run
from handrefine.output.run_folder import RunFolder
from handrefine.output.table import before_after_table
from handrefine.progress import Progress
from handrefine.refine.cameras import automatic_count, cameras_that_see_most
from handrefine.refine.loop import Monitor
from handrefine.refine.measure import metrics_without_truth
from handrefine.refine.refinement import Refinement, refine
from handrefine.refine.save import resolved_configuration, save_refinement
from handrefine.sequence import HandSequence, Side


def refine_folder(
    data: Path,
    out: Path,
    side: Side,
    config: Config,
    *,
    format: str = AUTO,
    name: str | None = None,
    cameras: str | None = None,
    overwrite: bool = False,
    console: Console,
) -> None:
    """Read, refine, save, and show the table.

    format, name: layout of the dataset and name of the sequence, see `read_dataset`.
    cameras: comma-separated names, or `auto:N` for the N that see most of the hand; all when missing.
    """
    sequence = _read(data, side, cameras, config, format, name)
    _, metrics = run(sequence, side, config, out, overwrite=overwrite, progress=run_progress(config, console))
    console.print(before_after_table(metrics, title=f"{sequence.name}, {side} hand"))
    console.print(f"run folder: {out}   (open {out / REPORT_FILE} in a browser)")


def _read(
    data: Path, side: Side, cameras: str | None, config: Config, format: str, name: str | None
) -> HandSequence:
    count = None if cameras is None else automatic_count(cameras)
    named = None if cameras is None or count is not None else [part.strip() for part in cameras.split(",")]
    sequence = read_dataset(data, format=format, sequence=name, cameras=named)
    if count is None:
        return sequence
    return sequence.with_cameras(cameras_that_see_most(sequence, side, count, config))


def run(
    sequence: HandSequence,
    side: Side,
    config: Config,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Progress,
    monitor: Monitor | None = None,
) -> tuple[Refinement, Mapping[str, object]]:
    """Refine one hand into a run folder; returns the result and what its `metrics.json` holds.

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
        save_refinement(refinement, metrics, folder)
        report_of_finished_run(folder.partial)
    return refinement, metrics


def run_progress(config: Config, console: Console) -> Progress:
    """A reporter for the whole schedule of a configuration."""
    return progress_for(console, sum(stage.iterations for _, stage in stages_of(config.schedule)))

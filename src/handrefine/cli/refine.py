"""`handrefine refine`: from a dataset folder to a run folder."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from handrefine.cli.common import Dataset, names
from handrefine.cli.exit_codes import INCOMPLETE, NOT_BETTER
from handrefine.cli.signals import StopOnSignal
from handrefine.config import Config
from handrefine.progress import Progress
from handrefine.refinement.schedule import running
from handrefine.scene.variables import GEOMETRY_NAMES
from handrefine.sequence import sides_of

if TYPE_CHECKING:
    from handrefine.task import Task

GEOMETRY = frozenset(GEOMETRY_NAMES)


@dataclass(frozen=True, kw_only=True)
class Refine(Dataset):
    """Refine the annotation of one hand or of both in a dataset's folder."""

    out: Path
    """Run folder to create."""
    cameras: str | None = None
    """Comma-separated names of cameras, or auto:N for the N that see most of the hand; all when missing."""
    holdout: str | None = None
    """Comma-separated names of cameras that are kept from the fit, and on which its result is judged."""
    person: Path | None = None
    """person.npz of another run of the same person: its surface is held, shape and texture begin there."""
    frames: str | None = None
    """Which frames, by the dataset's numbers: 3,7,9 or 0:500:5 (its end left out) or both; all when missing."""
    resume: Path | None = None
    """Go on with the run of this folder, which was stopped or killed. No other option is needed, but --data where
    the dataset has moved."""
    take_over: bool = False
    """A run of another host to the same folder has ended: do not wait until it has been silent for ten minutes."""
    checkpoint_every_s: float = 30.0
    """Seconds between two checkpoints within a stage; the ends of stages are always kept."""
    rerun: Path | None = None
    """Repeat this run: its dataset, hands, cameras, frames and settings, but for what other options say."""
    overwrite: bool = False
    """Replace what an earlier run wrote there, once the new one is complete; other files in the folder stay."""
    accept_worse: bool = False
    """Write a hand back in the dataset's format although it is worse than the annotation."""

    def task(self) -> "Task":
        """The job that is asked for."""
        from handrefine.task import Task

        return Task(
            data=self.data,
            out=self.out,
            format=self.format,
            sequence=self.sequence,
            hands=sides_of(self.hand),
            cameras=names(self.cameras),
            held_out=names(self.holdout),
            frames=self.frames,
            overwrite=self.overwrite,
            follow_links=self.follow_links,
            checkpoint_every_s=self.checkpoint_every_s,
            accept_worse=self.accept_worse,
            config=self._settings(),
        )

    def _settings(self) -> Config:
        """With the person, where one is given."""
        if self.person is None:
            return self.settings
        return replace(self.settings, surface=replace(self.settings.surface, person=self.person))

    def __call__(self, console: Console) -> int:
        status = run_and_show(self.task(), console, take_over=self.take_over)
        if self.rerun is not None:
            from handrefine.cli.rerun import what_has_changed

            for line in what_has_changed(self.rerun, self.out):
                console.print(line, markup=False)
        return status


def run_and_show(task: "Task", console: Console, *, resume: bool = False, take_over: bool = False) -> int:
    """Do a task until it is done or a signal stops it, and show what came of it; returns the exit status."""
    from handrefine.pipeline import run_task

    with StopOnSignal(console) as stop:
        progress = run_progress(task.config, console)
        command = ["handrefine", *sys.argv[1:]]
        result, metrics = run_task(
            task, progress=progress, stop=stop, resume=resume, take_over=take_over, command=command
        )
    if result.unfinished is None:
        show_run(task.out, console)
        return tell_of_faults(metrics["against"], result.unwritten, console, accept_worse=task.accept_worse)
    tell_of_stop(result.unfinished, task.out, console)
    return stop.status


def tell_of_stop(unfinished: str, run: Path, console: Console, *, data: Path | None = None) -> None:
    """The last words on a run that a signal has stopped.

    Args:
        data: the dataset, where it is no longer at the place at which the run read it.
    """
    options = f"--resume {run}" + ("" if data is None else f" --data {data}")
    told = f"the run was {unfinished}; go on with it by: handrefine refine {options}"
    console.print(told, markup=False, highlight=False, soft_wrap=True)


def tell_of_faults(
    against: Sequence[str], unwritten: Sequence[str], console: Console, *, accept_worse: bool
) -> int:
    """The last words on a finished run with a fault, and the exit status that stands for it; else 0."""
    if against and not accept_worse:
        console.print(
            f"NOT AN IMPROVEMENT: {'; '.join(against)}. No dataset/ was written of it (--accept-worse does).",
            markup=False,
        )
        return NOT_BETTER
    if unwritten:
        console.print(f"INCOMPLETE: {', '.join(unwritten)} could not be written.", markup=False)
        return INCOMPLETE
    return 0


def show_run(path: Path, console: Console) -> None:
    """The tables of a finished run, and where it is."""
    from handrefine.cli.tables import before_after_table, holdout_table
    from handrefine.runs.reader import open_run

    run = open_run(path)
    for hand in run.hands:
        title = f"{run.configuration['sequence']}, {hand.side} hand"
        console.print(before_after_table(hand.metrics, title=escape(title)))
    if run.layout.held_out.exists():
        console.print(holdout_table(run.held_out))
    console.print(f"run folder: {path}   (open {run.layout.report} in a browser)", markup=False)


def run_progress(config: Config, console: Console) -> Progress:
    """A reporter for the whole job that a configuration asks for."""
    from handrefine.cli.progress import progress_for
    from handrefine.cli.time_left import PlannedStage

    stages = {
        name: PlannedStage(
            stage.iterations,
            stage.resolution,
            geometry=not GEOMETRY.isdisjoint(stage.variables),
            texture="texture" in stage.variables,
        )
        for name, stage in running(config.stages).items()
    }
    return progress_for(console, stages)

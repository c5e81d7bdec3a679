"""`handrefine batch`: a whole dataset as many tasks, done by processes on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from rich.markup import escape
from tyro.conf import Positional

from handrefine.cli.batch_status import duration, place_of
from handrefine.cli.common import Configured, names
from handrefine.cli.exit_codes import INCOMPLETE
from handrefine.cli.signals import Terminated
from handrefine.config import Config
from handrefine.config_files import changed
from handrefine.errors import InputError
from handrefine.sequence import Hands, sides_of

if TYPE_CHECKING:
    from handrefine.batch.plan import BatchSettings, Planned
    from handrefine.batch.run import Runner
    from handrefine.batch.state import TaskState


@dataclass(frozen=True, kw_only=True)
class Batch(Configured):
    """Refine a whole dataset: its sequences, cut into clips, by several processes.

    The same command again goes on where it was; `batch status` shows how far that is.
    """

    data: Annotated[Path, Positional]
    """The dataset's folder."""
    out: Path
    """Folder of the batch, to create or to go on with."""
    sequences: str | None = None
    """Pattern of the sequences' names, e.g. 'test/Capture0/*'; all when missing."""
    frames: str | None = None
    """Which frames of every sequence, by the dataset's numbers: 3,7,9 or 0:500:5; all when missing."""
    hands: Hands = "both"
    """Which hand, or both; a hand that a clip has not is left out there."""
    cameras: str | None = None
    """Comma-separated names of cameras, or auto:N for the N that see most of the hands; all when missing."""
    holdout: str = "auto:1"
    """Cameras that are kept from the fit and judge it: names, none, or auto:N for N of each clip in rotation,
    where at least 3 are left."""
    clip: int = 10
    """Frames of a clip."""
    overlap: int = 2
    """Frames that a clip shares with the next one."""
    fill: int | None = None
    """Also refine frames without annotation, in gaps of at most so many between annotated ones: --hand.fill."""
    share_person: Literal["none", "sequential", "joint"] = "none"
    """sequential: the first clip of a person finds shape, texture and (--surface.modes) surface, with which later
    ones begin. joint: the first clips find them in one optimisation, each with its own light and cameras."""
    person_clips: int | None = None
    """How many clips give a person to the others: 1 when missing, or 4 if joint."""
    workers: int | None = None
    """Tasks at a time; one a GPU, or one a core when missing."""
    cluster: str | None = None
    """Address of a Ray cluster, or auto for the one of this machine, in the place of local workers."""
    task_cpus: float = 1.0
    """Cores of a task (on a cluster)."""
    task_gpus: float = 0.0
    """GPUs of a task (on a cluster); 0.5: two tasks share one."""
    task_memory_gb: float = 0.0
    """Memory that a task asks for (on a cluster); 0: it says nothing."""
    dry_run: bool = False
    """Show the tasks, what the readers noticed, and an estimate of time and disk; write nothing."""
    retry_failed: bool = False
    """Do tasks that failed, and sequences that could not be read, once more."""
    format: str = "auto"
    """Layout of the dataset, as for refine."""
    follow_links: bool = False
    """Read through symbolic links in the dataset's folder that lead out of it."""

    def __call__(self, console: Console) -> int:
        from handrefine.batch.local import default_workers
        from handrefine.batch.plan import NOTHING_WANTED
        from handrefine.batch.run import prepare_batch, run_batch, unreadable

        if self.workers is not None and self.workers < 1:
            raise InputError("a batch needs a worker", where="--workers", found=self.workers)

        def planned(of: "Planned") -> None:
            told = f"{len(of.tasks)} tasks" if of.reason is None else f"left out: {of.reason}"
            console.print(f"{of.sequence}: {told}{self._unknown(of)}", markup=False, highlight=False)

        workers = self.workers or default_workers()
        if self.dry_run:
            self._show_plan(workers, console)
            return 0
        folder = prepare_batch(self.batch_settings(), self.out, planned, again=self.retry_failed)
        total = len(folder.names())

        def ended(name: str, state: "TaskState") -> None:
            seconds = "" if state.seconds is None else f" in {state.seconds:.0f} s"
            what = f"{state.status}{seconds}" + (f": {state.reason}" if state.reason else "")
            console.print(f"{name}: {what}", markup=False, highlight=False)

        try:
            states = run_batch(folder, self._runner(workers), ended, retry_failed=self.retry_failed)
        except (KeyboardInterrupt, Terminated):
            console.print("stopped: the same command again goes on where it was", highlight=False)
            raise
        failed = sum(of.status == "failed" for of in states.values())
        done = sum(of.status == "done" for of in states.values())
        left_out = sum(of.reason != NOTHING_WANTED for of in unreadable(folder))
        told = f"{done} of {total} tasks are done" + (f", [red]{failed} failed[/]" if failed else "")
        console.print(told + (f"; [red]sequences left out: {left_out}[/]" if left_out else ""))
        console.print(f"more: handrefine batch status {escape(str(self.out))}")
        return INCOMPLETE if failed or left_out else 0

    def _config(self) -> Config:
        """With the gaps that are to be filled, where they are told."""
        return self.settings if self.fill is None else changed(self.settings, {"hand": {"fill": self.fill}})

    def _unknown(self, of: "Planned") -> str:
        """A word on a sequence of which nobody knows whose hands it shows, where that matters."""
        matters = self.share_person != "none" and of.reason is None and of.subject is None
        return ", a person of its own: the dataset does not say whose hands these are" if matters else ""

    def _runner(self, workers: int) -> "Runner":
        """Where tasks are done."""
        from handrefine.batch.local import run_locally
        from handrefine.batch.ray_cluster import Resources, run_on_ray

        if self.cluster is None:
            return lambda folder, names, told: run_locally(folder, names, workers, told)
        address, memory = self.cluster, round(1e9 * self.task_memory_gb)
        resources = Resources(self.task_cpus, self.task_gpus, memory)
        return lambda folder, names, told: run_on_ray(folder, names, told, address, resources)

    def _show_plan(self, workers: int, console: Console) -> None:
        """The tasks, what is missing, and what they will take."""
        from handrefine.batch.estimate import estimate
        from handrefine.batch.plan import plan

        tasks = []
        for of in plan(self.batch_settings()):
            if of.reason is not None:
                console.print(f"{of.sequence}: left out: {of.reason}", markup=False, highlight=False)
            elif unknown := self._unknown(of):
                console.print(f"{of.sequence}{unknown}", markup=False, highlight=False)
            for task in of.tasks:
                hands, held_out = (", ".join(task.task[name]) for name in ("hands", "held_out"))
                told = f"{task.name}: {len(task.frames)} frames, {task.n_views} views, {hands}"
                told += (f", held out {held_out}" if held_out else "") + place_of(task)
                console.print(told, markup=False, highlight=False)
            for finding in of.findings:
                console.print(f"  {finding.level}: {finding}", markup=False, highlight=False)
            tasks += of.tasks
        if not tasks:
            raise InputError("no sequence gives a task", where=self.data)
        console.print(f"{len(tasks)} tasks; one is measured with few iterations ...", highlight=False)
        found = estimate(tasks)
        times = (
            f"about {duration(found.seconds / workers)} with {workers} workers, {duration(found.seconds)} with one"
        )
        console.print(f"{times}; {found.n_bytes / 1e9:.2f} GB", highlight=False)

    def batch_settings(self) -> "BatchSettings":
        """What is asked for."""
        from handrefine.batch.plan import BatchSettings

        return BatchSettings(
            data=self.data,
            format=self.format,
            sequences=self.sequences,
            frames=self.frames,
            hands=sides_of(self.hands),
            cameras=names(self.cameras),
            held_out=() if self.holdout == "none" else names(self.holdout),
            clip=self.clip,
            overlap=self.overlap,
            share_person=self.share_person,
            person_clips=self.person_clips,
            follow_links=self.follow_links,
            config=self._config(),
        )

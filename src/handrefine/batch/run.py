"""A batch from its first task to its last: planned once, and gone on with as often as it is asked for."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings, Planned, differences, plan
from handrefine.batch.state import TaskState
from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.io.safe_paths import refuse_overlap
from handrefine.runs.owner import owner_of
from handrefine.runs.run_lock import RunLock
from handrefine.runs.unfinished import partial_of

log = logging.getLogger(__name__)
#: How long another process may take to plan the same batch before this one gives up.
PLANNING_S = 3600.0
#: Does tasks of a batch's folder by their names, in any order, and tells of each that has ended.
Runner = Callable[[BatchFolder, Iterable[str], Callable[[str], None]], None]


@dataclass(frozen=True)
class Unreadable:
    """A sequence without tasks, and why."""

    sequence: str
    reason: str


def prepare_batch(
    settings: BatchSettings,
    out: Path,
    told: Callable[[Planned], None] = lambda planned: None,
    *,
    again: bool = False,
) -> BatchFolder:
    """The folder of the batch: planned anew, or as an earlier call left it.

    Args:
        told: gets every sequence as it is planned.
        again: plan sequences once more that could not be read.

    Raises:
        InputError: `out` is the folder of another batch or of something else, a run writes to it, it lies in the
            dataset or around it, or no sequence gives a task.
    """
    refuse_overlap(settings.data, out)
    with _alone(out):
        return _prepared(settings, out, told, again=again)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Nobody else plans a batch there or begins a run; another's planning is waited for, a run is not."""
    target = out.expanduser().resolve()
    work = partial_of(target)
    try:
        lock = RunLock.take(target, work)
    except InputError:
        if owner_of(work) is not None:
            raise
        log.info("another process plans the batch: waiting until it has")
        lock = RunLock.take(target, work, patience_s=PLANNING_S)
    try:
        yield
    finally:
        lock.release()


def _prepared(settings: BatchSettings, out: Path, told: Callable[[Planned], None], *, again: bool) -> BatchFolder:
    folder, asked = BatchFolder(out), settings.to_mapping()
    if folder.settings.is_file():
        if other := differences(asked, folder.asked()):
            raise InputError(
                "the folder belongs to a batch of other settings",
                where=out,
                found="other " + ", ".join(other),
                fix="choose another folder, or give the settings of the first call",
            )
        if again and (names := [of.sequence for of in unreadable(folder)]):
            _plan(folder, settings, told, names)
        return folder
    if out.exists() and (not out.is_dir() or any(path.name != folder.tasks.name for path in out.iterdir())):
        raise InputError("the output folder holds something else", where=out, fix="choose another folder")
    for left_over in folder.tasks.glob("*.json"):  # of planning that was cut short
        left_over.unlink()
    reasons = _plan(folder, settings, told)
    if not folder.task_names():
        shown = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:8])
        raise InputError("no sequence gives a task", where=settings.data, found=shown)
    return folder


def _plan(
    folder: BatchFolder,
    settings: BatchSettings,
    told: Callable[[Planned], None],
    names: Sequence[str] | None = None,
) -> dict[str, str]:
    """Write the tasks, and at last what they were made of; returns why sequences gave none."""
    reasons: dict[str, str] = {}
    known = map(folder.task, folder.task_names())
    for planned in plan(settings, names, known):
        told(planned)
        for task in planned.tasks:
            folder.write_task(task)
        if planned.reason is not None:
            reasons[planned.sequence] = planned.reason
    if folder.task_names():
        write_json(folder.settings, {"settings": settings.to_mapping(), "unreadable": reasons})
    return reasons


def unreadable(folder: BatchFolder) -> list[Unreadable]:
    """The sequences that gave no task when the batch was planned."""
    return [Unreadable(name, reason) for name, reason in folder.unreadable().items()]


def run_batch(
    folder: BatchFolder, runner: Runner, told: Callable[[str, TaskState], None], *, retry_failed: bool = False
) -> dict[str, TaskState]:
    """Do all tasks that are not done; returns the states of all.

    Args:
        told: gets the name and state of every task that has ended, those that were done with it included.
        retry_failed: those that failed, too.
    """
    states = folder.states()
    waiting = [
        name for name, of in states.items() if of.status != "done" and (retry_failed or of.status != "failed")
    ]
    for name in waiting:
        if states[name].status == "failed":
            folder.write_state(name, TaskState())

    def ended(name: str) -> None:
        of = folder.task(name)
        for each in (of.together or (name,)) if of.begun_by == name else (name,):
            told(each, folder.state(each))

    runner(folder, waiting, ended)
    return folder.states()

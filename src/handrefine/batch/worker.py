"""One task of a batch in a process of its own: `python -m handrefine.batch.worker FOLDER NAME [THREADS]`."""

import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.persons import person_for, told_free
from handrefine.batch.plan import one_line
from handrefine.batch.state import TaskState
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError, VideoError
from handrefine.pipeline import run_task, run_together, unfinished_task
from handrefine.runs.reader import open_run
from handrefine.runs.unfinished import unfinished_run
from handrefine.task import Task

log = logging.getLogger(__name__)
#: How often a worker looks whether the process that started it still lives.
WATCH_S = 1.0
#: A worker that was begun again waits so long for its forerunner to end.
PATIENCE_S = 5.0


def do_task(folder: BatchFolder, name: str, threads: int | None = None) -> TaskState:
    """Do one task and write down what became of it; one that is done, or in work elsewhere, is left alone.

    Tasks that are done together with it are done as well; of these all are at work, or done, at once.

    Args:
        threads: of the renderer; as many as there are cores where nothing is said.
    """
    with ExitStack() as claims:
        names = [of for of in _done_with(folder, name) if claims.enter_context(folder.claimed(of, PATIENCE_S))]
        if name not in names or folder.state(name).status == "done":
            return folder.state(name)
        began = time.time()
        states = {
            of: TaskState("running", platform.node(), os.getpid(), began, attempts=folder.state(of).attempts + 1)
            for of in names
        }
        for of, state in states.items():
            folder.write_state(of, state)
        try:
            reasons = _run(folder, names, threads)
        except Exception as error:  # whatever it was, the other tasks go on
            log.exception("the task failed")
            reasons = {of: Failed(one_line(error)) for of in names}
        share_s = time.process_time() / max(1, sum(not isinstance(of, Failed) for of in reasons.values()))
        for of in reversed(names):  # the first, which others wait for, comes last
            reason, ended = reasons[of], time.time()
            if isinstance(reason, Failed):
                states[of] = replace(states[of], status="failed", reason=reason.why, ended=ended)
            else:
                done = replace(states[of], status="done", reason=reason, cpu_seconds=share_s, ended=ended)
                states[of] = replace(done, peak_memory_mb=_peak_memory_mb())
            folder.write_state(of, states[of])
        return states[name]


@dataclass(frozen=True)
class Failed:
    """Why a task failed, in one line."""

    why: str


def _done_with(folder: BatchFolder, name: str) -> list[str]:
    """The task and those that its process does as well: none once one of them is done."""
    of = folder.task(name)
    if of.begun_by != name or any(folder.state(each).status == "done" for each in of.together):
        return [name]
    return list(of.together or (name,))


def _run(folder: BatchFolder, names: list[str], threads: int | None) -> dict[str, str | Failed | None]:
    """Returns what is to be said of each result: what speaks against it (then it has no `dataset/`), and that it
    was to hold a person and does not."""
    failed: dict[str, str | Failed | None] = {}
    tasks = {name: folder.task(name).ready(folder.run(name)) for name in names}
    if not all(_is_finished(of.out) for of in tasks.values()):  # else it died between last file and state
        if threads is not None:
            _limit_threads(tasks[names[0]].config.render.variant, threads)
        if len(names) > 1:
            failed |= _run_together(tasks)
        else:
            task = _with_person(tasks[names[0]], folder, folder.task(names[0]))
            # From the checkpoints of a worker that was killed: wherever it was, it let go of the lock held here.
            run_task(task, resume=True, take_over=True)
    done = [name for name in names if name not in failed]
    return {**failed, **{name: _said_of(folder, name) for name in done}}


def _run_together(tasks: Mapping[str, Task]) -> dict[str, Failed]:
    """Do tasks as one; those that cannot be done are left out, and returned with the reason."""
    left, failed = dict(tasks), dict[str, Failed]()
    while left:
        # One that has been completed is written once more: it was found together with those that have not.
        again = [replace(of, overwrite=_is_finished(of.out)) for of in left.values()]
        try:
            run_together(again, resume=True, take_over=True)
            break
        except VideoError as error:
            name = list(left)[error.position]
            log.warning("%s is left out: %s", name, error)
            failed[name] = Failed(one_line(error))
            del left[name]
    return failed


def _said_of(folder: BatchFolder, name: str) -> str | None:
    of, run = folder.task(name), open_run(folder.run(name))
    free = told_free(of, config_from_mapping(run.configuration["config"])) if of.after else None
    return "; ".join([*(run.metrics.get("against") or ()), *([free] if free else [])]) or None


def _with_person(task: Task, folder: BatchFolder, of: BatchTask) -> Task:
    """The task, told whom to hold; one that was begun goes on as it was begun, by its checkpoints."""
    if not of.after and not of.together:
        return task
    try:
        begun = unfinished_task(task.out)
    except InputError:  # nothing was begun
        begun = None
    person = person_for(folder, of) if begun is None else begun.config.surface.person
    surface = replace(task.config.surface, person=person)
    return replace(task, config=replace(task.config, surface=surface))


def _is_finished(out: Path) -> bool:
    try:
        return unfinished_run(out) is None
    except InputError:  # nothing was begun
        return False


def _limit_threads(variant: str, threads: int) -> None:
    from handrefine.render.mitsuba.runtime import start_mitsuba

    runtime = start_mitsuba(variant)  # pyright: ignore[reportArgumentType]
    if runtime.llvm is not None:
        import drjit as dr

        dr.set_thread_count(threads)


def _peak_memory_mb() -> float | None:
    """The most memory that this process has had; None where no /proc tells it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def _end_with_parent() -> None:
    """A worker whose head was killed ends as if it had been told to: nobody would hear of its work."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str]) -> int:
    """Do the task; 0 where it is done, else 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _end_with_parent()
    root, name, *threads = arguments
    state = do_task(BatchFolder(Path(root)), name, int(threads[0]) if threads else None)
    return 0 if state.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

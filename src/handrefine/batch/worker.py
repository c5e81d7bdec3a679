"""One task of a batch in a process of its own: `python -m handrefine.batch.worker FOLDER NAME [THREADS]`."""

import logging
import os
import platform
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.persons import person_for, told_free
from handrefine.batch.plan import one_line
from handrefine.batch.state import TaskState
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.pipeline import Task, run_task, unfinished_task
from handrefine.runs.reader import open_run
from handrefine.runs.unfinished import unfinished_run

log = logging.getLogger(__name__)
#: How often a worker looks whether the process that started it still lives.
WATCH_S = 1.0
#: A worker that was begun again waits so long for its forerunner to end.
PATIENCE_S = 5.0


def do_task(folder: BatchFolder, name: str, threads: int | None = None) -> TaskState:
    """Do one task and write down what became of it; one that is done, or in work elsewhere, is left alone.

    Args:
        threads: of the renderer; as many as there are cores where nothing is said.
    """
    with folder.claimed(name, PATIENCE_S) as claimed:
        state = folder.state(name)
        if not claimed or state.status == "done":
            return state
        began = time.time()
        state = TaskState("running", platform.node(), os.getpid(), began, attempts=state.attempts + 1)
        folder.write_state(name, state)
        try:
            against = _run(folder, name, threads)
        except Exception as error:  # whatever it was, the other tasks go on
            log.exception("the task failed")
            state = replace(state, status="failed", reason=one_line(error))
        else:
            state = replace(state, status="done", reason=against, cpu_seconds=time.process_time())
        state = replace(state, ended=time.time())
        folder.write_state(name, state)
        return state


def _run(folder: BatchFolder, name: str, threads: int | None) -> str | None:
    """Returns what is to be said of the result: what speaks against it (then it has no `dataset/`), and that it
    was to hold a person and does not."""
    of = folder.task(name)
    task = of.ready(folder.run(name))
    if not _is_finished(task.out):  # else the process died between its last file and its state
        task = _with_person(task, folder, of)
        if threads is not None:
            _limit_threads(task.config.render.variant, threads)
        # From the checkpoints of a worker that was killed: wherever it was, it let go of the lock held here.
        run_task(task, resume=True, take_over=True)
    run = open_run(task.out)
    free = told_free(of, config_from_mapping(run.configuration["config"])) if of.after else None
    return "; ".join([*(run.metrics.get("against") or ()), *([free] if free else [])]) or None


def _with_person(task: Task, folder: BatchFolder, of: BatchTask) -> Task:
    """The task, told whom to hold; one that was begun goes on as it was begun, by its checkpoints."""
    if not of.after:
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

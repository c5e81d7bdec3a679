"""How long a batch will take and how much it will write, from a short measurement: a task with few iterations."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.local import run_locally
from handrefine.config import Config
from handrefine.config_files import changed, config_from_mapping, config_to_mapping
from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.refinement.schedule import running
from handrefine.runs.reader import open_run

#: Iterations of every stage that are measured; the first of them compiles.
ITERATIONS = 4


@dataclass(frozen=True)
class Estimate:
    """Of all tasks, one after the other.

    measured: the task that was measured, and how long that took in seconds.
    seconds: of all tasks. n_bytes: of their run folders.
    """

    measured: tuple[str, float]
    seconds: float
    n_bytes: float


def estimate(tasks: Sequence[BatchTask]) -> Estimate:
    """Do the task of median size with few iterations of every stage, in a folder that goes afterwards.

    Its time is what its iterations take and a rest (start, reading, last renders, report); the whole schedule has
    more iterations. Both are taken for proportional to the views.

    Raises:
        InputError: the task fails; the message is the task's.
    """
    task = sorted(tasks, key=lambda of: of.n_views)[len(tasks) // 2]
    config = config_from_mapping(task.task["config"])
    stages = running(config.stages)
    few = {name: {"iterations": min(ITERATIONS, stage.iterations)} for name, stage in stages.items()}
    short = changed(config, {"stages": few})
    with tempfile.TemporaryDirectory(prefix="handrefine-") as scratch:
        folder = BatchFolder(Path(scratch))
        folder.write_task(
            replace(task, after=(), together=(), task={**task.task, "config": config_to_mapping(short)})
        )
        write_json(folder.settings, {"settings": {}, "unreadable": {}})
        began = time.perf_counter()
        run_locally(folder, [task.name], 1)
        seconds, state = time.perf_counter() - began, folder.state(task.name)
        if state.status != "done":
            raise InputError("the task that was to be measured failed", where=task.name, found=state.reason)
        run = folder.run(task.name)
        spent, whole = _iterations_s(run, config)
        n_bytes = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    views = sum(of.n_views for of in tasks) / max(task.n_views, 1)
    return Estimate((task.name, seconds), (seconds - spent + whole) * views, n_bytes * views)


def _iterations_s(run: Path, config: Config) -> tuple[float, float]:
    """Seconds that the iterations of a short run took, and those that the whole schedule would take."""
    records = open_run(run).records
    spent = whole = end_before = 0.0
    for name, stage in running(config.stages).items():
        ends = [float(str(record["seconds"])) for record in records if record["stage"] == name]
        if not ends:
            continue
        each = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] - end_before
        spent += ends[-1] - end_before
        whole += ends[-1] - end_before + each * (stage.iterations - len(ends))
        end_before = ends[-1]
    return spent, whole

"""The clips, refined one by one and as a batch, and what that took."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.batch.folder import BatchFolder
from handrefine.batch.local import run_locally
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import Runner, prepare_batch, run_batch
from handrefine.batch.state import TaskState
from handrefine.batch.status import BatchStatusNow, TaskRow
from handrefine.config import Config
from handrefine.config_files import changed, load_config
from handrefine.runs.reader import open_run
from handrefine.synthetic.dataset import join_videos
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

N_CAMERAS, N_FRAMES, SIZE_PX, ERROR_MM, SEED = 4, 5, 64, 10.0, 0
#: Of the time left, in seconds.
EVERY_S = 5.0
#: The quick preset, for annotations that are as far off as these.
CONFIG = changed(load_config("quick"), {"implausible_input": "warn"})


def make_clips(work: Path, count: int) -> Path:
    """A dataset of so many videos."""
    data = work / "data"
    if not data.is_dir():
        videos = []
        for number in range(count):
            videos.append(work / "videos" / str(number))
            own = SEED + number
            settings = SyntheticSettings(n_cameras=N_CAMERAS, n_frames=N_FRAMES, size=SIZE_PX, seed=own)
            if not videos[-1].is_dir():
                synthesize(videos[-1], ("right",), settings, ERROR_MM, Config(seed=own))
        join_videos(videos, data)
    return data


def prepared(data: Path, out: Path) -> BatchFolder:
    return prepare_batch(BatchSettings(data=data, hands=("right",), config=CONFIG), out)


@dataclass
class Spent:
    """Seconds of the processor, of this process and of its children that have ended, and of the clock."""

    def __post_init__(self) -> None:
        self._cpu, self._wall = _cpu_s(), time.perf_counter()

    def __call__(self) -> dict[str, float]:
        return {"cpu_s": _cpu_s() - self._cpu, "wall_s": time.perf_counter() - self._wall}


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in usages)


def one_by_one(folder: BatchFolder, name: str, out: Path, settings: Path) -> dict[str, float]:
    """`handrefine refine`, a process of one thread; returns what it took."""
    of, spent = folder.task(name), Spent()
    words = ["--data", of.task["data"], "--sequence", of.sequence, "--hand", "right"]
    words += ["--frames", of.task["frames"], "--holdout", ",".join(of.task["held_out"])]
    command = [sys.executable, "-m", "handrefine", "refine", *words, "--config", settings, "--out", out / name]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if not (out / name / "metrics.json").is_file():
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return spent()


def locally(folder: BatchFolder, names: Iterable[str], ended: Callable[[str], None]) -> None:
    """The runner: one process at a time, on this machine."""
    run_locally(folder, names, 1, ended)


def in_batch(folder: BatchFolder, runner: Runner) -> None:
    """All clips."""
    run_batch(folder, runner, lambda name, state: print(name, state.status, state.reason or "", flush=True))


def times_left(folder: BatchFolder) -> list[dict[str, float]]:
    """What `batch status` would have said of the time left, every few seconds of a batch that is done.

    By a clock that runs while a task computes: one worker on a machine that does nothing else.
    """
    states, tasks = folder.states(), {name: folder.task(name) for name in folder.names()}
    order = sorted(tasks, key=lambda name: states[name].started or 0.0)
    ends = np.cumsum([states[name].cpu_seconds or 0.0 for name in order]).tolist()
    spans = dict(zip(order, zip([0.0, *ends], ends, strict=False), strict=True))
    found = []
    for at in np.arange(0.0, ends[-1], EVERY_S).tolist():
        rows = []
        for name, (start, end) in spans.items():
            running, done = TaskState("running", started=start), TaskState("done", started=start, ended=end)
            state = TaskState() if at < start else running if at < end else done
            rows.append(TaskRow(tasks[name], state))
        left_s = BatchStatusNow(at, tuple(rows), ()).seconds_left
        if left_s is not None:
            found.append({"share": at / ends[-1], "left_s": ends[-1] - at, "told_s": left_s})
    return found


def largest_difference_mm(names: Iterable[str], one: Callable[[str], Path], other: Callable[[str], Path]) -> float:
    """Of any vertex coordinate of the refined hands; infinite where a run is missing."""
    worst = 0.0
    for name in names:
        if not (one(name).is_dir() and other(name).is_dir()):
            return float("inf")
        a, b = (open_run(of(name)).only_hand().annotation.after.verts_world for of in (one, other))
        worst = max(worst, 1e3 * float(np.abs(a - b).max()))
    return worst


def done_of(folder: BatchFolder) -> int:
    """How many clips are done."""
    return sum(of.status == "done" for of in folder.states().values())


def task_cpu_s(folder: BatchFolder) -> float:
    """Of the processes that completed the clips."""
    return sum(of.cpu_seconds or 0.0 for of in folder.states().values())


def environment() -> None:
    """Sums in one order, here and in all processes that are started from now on."""
    os.environ["DRJIT_NUM_THREADS"] = "1"


def time_left_error(rows: Sequence[dict[str, Any]], first: float) -> float:
    """The largest relative error after the `first` share, in percent; the last 10 s do not count."""
    off = [abs(r["told_s"] / r["left_s"] - 1) for r in rows if r["share"] >= first and r["left_s"] > 10]
    return 100 * max(off, default=float("nan"))

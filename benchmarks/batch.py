"""`python -m benchmarks.batch`: clips through `handrefine batch` and one by one, undisturbed and with kills.

`--address` runs the clips on a Ray cluster besides.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, parser
from handrefine.batch.folder import BatchFolder
from handrefine.batch.local import run_locally
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch, run_batch
from handrefine.batch.status import status_of
from handrefine.config import Config
from handrefine.config_files import changed, load_config
from handrefine.runs.reader import open_run
from handrefine.synthetic.dataset import join_videos
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

N_CAMERAS, N_FRAMES, SIZE_PX, ERROR_MM, SEED = 4, 5, 64, 10.0, 0
OVERHEAD, TIME_LEFT, FIRST = 10.0, 25.0, 0.1
#: Seconds between two kills, at random.
KILL_AFTER_S = (20.0, 90.0)
#: The command that is killed: the whole batch, one worker.
HEAD = (sys.executable, "-m", "benchmarks.batch", "--head")


def make_clips(work: Path, count: int) -> Path:
    """A dataset of so many videos."""
    data = work / "data"
    if not data.is_dir():
        videos = []
        for number in range(count):
            videos.append(work / "videos" / str(number))
            own = SEED + number
            settings = SyntheticSettings(n_cameras=N_CAMERAS, n_frames=N_FRAMES, size=SIZE_PX, seed=own)
            synthesize(videos[-1], ("right",), settings, ERROR_MM, Config(seed=own))
        join_videos(videos, data)
    return data


def prepared(data: Path, out: Path) -> BatchFolder:
    config = changed(load_config("quick"), {"implausible_input": "warn"})
    return prepare_batch(BatchSettings(data=data, hands=("right",), config=config), out)


@dataclass
class Spent:
    """CPU seconds of this process and its children, and seconds of the clock, from now on."""

    def __post_init__(self) -> None:
        self._cpu, self._wall = _cpu_s(), time.perf_counter()

    def __call__(self) -> tuple[float, float]:
        return _cpu_s() - self._cpu, time.perf_counter() - self._wall


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in usages)


def one_by_one(folder: BatchFolder, names: Iterable[str], out: Path, settings: Path) -> None:
    """`handrefine refine`, a process a clip, one thread."""
    environment = {**os.environ, "DRJIT_NUM_THREADS": "1"}
    for name in names:
        if (out / name).is_dir():
            continue
        of = folder.task(name)
        words = ["--data", of.task["data"], "--sequence", of.sequence, "--hand", "right"]
        words += ["--frames", of.task["frames"], "--holdout", ",".join(of.task["held_out"])]
        command = [sys.executable, "-m", "handrefine", "refine", *words, "--config", settings, "--out", out / name]
        done = subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, check=False
        )
        if not (out / name / "metrics.json").is_file():
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])


def in_batch(folder: BatchFolder, runner: Callable[..., None] | None = None) -> dict[str, Any]:
    """All clips, one worker; what was told of the time left whenever one had ended."""
    began, told = time.time(), list[tuple[float, float | None]]()

    def look(name: str, state: object) -> None:
        time.sleep(1.0)  # the next one has begun by then
        told.append((time.time(), status_of(folder).seconds_left))

    run_batch(folder, runner or (lambda of, names, ended: run_locally(of, names, 1, ended)), look)
    ended = time.time()
    rows = [
        {"share": (at - began) / (ended - began), "left_s": ended - at, "told_s": left}
        for at, left in told
        if left is not None
    ]
    return {"time_left": rows}


def time_left_error(rows: Sequence[dict[str, float]]) -> float:
    """The largest relative error after the first tenth, in percent; nearer than 10 s to the end nothing counts."""
    off = [abs(r["told_s"] / r["left_s"] - 1) for r in rows if r["share"] >= FIRST and r["left_s"] > 10]
    return 100 * max(off, default=float("nan"))


def with_kills(folder: BatchFolder, kills: int) -> int:
    """All clips, while a worker or the head dies again and again; returns how many were killed."""
    rng, killed = random.Random(SEED), 0
    while True:
        head = subprocess.Popen([*HEAD, str(folder.root)], start_new_session=True)
        while killed < kills and head.poll() is None:
            due = time.monotonic() + rng.uniform(*KILL_AFTER_S)
            while time.monotonic() < due and head.poll() is None:
                time.sleep(0.5)
            running = [of.process for of in folder.states().values() if of.status == "running" and of.process]
            victim = head.pid if rng.random() < 0.5 or not running else running[0]
            if head.poll() is None:
                os.kill(victim, signal.SIGKILL)
                killed += 1
        head.wait()
        if all(of.status in ("done", "failed") for of in folder.states().values()):
            return killed
        time.sleep(3)  # workers notice that their head is gone


def largest_difference_mm(names: Iterable[str], one: Callable[[str], Path], other: Callable[[str], Path]) -> float:
    """Of any vertex coordinate of the refined hands; infinite where a run is missing."""
    worst = 0.0
    for name in names:
        if not (one(name).is_dir() and other(name).is_dir()):
            return float("inf")
        a, b = (open_run(of(name)).only_hand().annotation.after.verts_world for of in (one, other))
        worst = max(worst, 1e3 * float(np.abs(a - b).max()))
    return worst


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--clips", type=int, default=24)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--address", help="of a Ray cluster on which the clips run, too")
    options.add_argument("--head", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--work", type=Path, help="folder for videos and runs")
    chosen = options.parse_args()
    os.environ["DRJIT_NUM_THREADS"] = "1"  # sums in one order
    if chosen.head is not None:
        in_batch(BatchFolder(chosen.head))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        return finish("batch", measured(chosen, chosen.work or Path(scratch)), chosen)


def measured(chosen: argparse.Namespace, work: Path) -> Outcome:
    data = make_clips(work, chosen.clips)
    folder = prepared(data, work / "batch")
    names, samples = folder.names(), dict[str, Any]()
    settings = work / "settings.yaml"
    settings.write_text(
        (Path(__file__).parents[1] / "configs" / "quick.yaml").read_text() + "implausible_input: warn\n"
    )
    spent = Spent()
    one_by_one(folder, names, work / "alone", settings)
    alone_cpu, alone_wall = spent()
    spent = Spent()
    samples |= in_batch(folder)
    batch_cpu, batch_wall = spent()

    def alone(name: str) -> Path:
        return work / "alone" / name

    metrics = [
        Metric("clips", len(names), ""),
        Metric("refine one by one, CPU", alone_cpu, "s"),
        Metric("batch, CPU", batch_cpu, "s"),
        Metric("overhead of the batch", 100 * (batch_cpu / alone_cpu - 1), "%", OVERHEAD),
        Metric("difference of the batch", largest_difference_mm(names, alone, folder.run), "mm", 0.0),
        Metric("error of the time left", time_left_error(samples["time_left"]), "%", TIME_LEFT),
    ]
    samples |= {"wall_s": {"one by one": alone_wall, "batch": batch_wall}}
    if chosen.kills:
        disturbed = prepared(data, work / "killed")
        spent = Spent()
        killed = with_kills(disturbed, chosen.kills)
        cpu, _ = spent()
        done = sum(of.status == "done" for of in disturbed.states().values())
        metrics += [
            Metric("kills", killed, ""),
            Metric("clips done with kills", done, "", len(names), "higher"),
            Metric("difference with kills", largest_difference_mm(names, alone, disturbed.run), "mm", 0.0),
            Metric("CPU that a kill costs", (cpu - batch_cpu) / max(killed, 1), "s"),
        ]
        samples["attempts"] = {name: of.attempts for name, of in disturbed.states().items()}
    if chosen.address:
        metrics += on_ray(prepared(data, work / "ray"), chosen.address, names, alone)
    return Outcome(metrics, samples, [SEED])


def on_ray(folder: BatchFolder, address: str, names: Sequence[str], alone: Callable[[str], Path]) -> list[Metric]:
    from handrefine.batch.ray_cluster import Resources, run_on_ray

    in_batch(folder, lambda of, names, ended: run_on_ray(of, names, ended, address, Resources()))
    cpu = sum(of.cpu_seconds or 0.0 for of in folder.states().values())
    return [
        Metric("tasks on Ray, CPU", cpu, "s"),
        Metric("difference on Ray", largest_difference_mm(names, alone, folder.run), "mm", 0.0),
    ]


if __name__ == "__main__":
    sys.exit(main())

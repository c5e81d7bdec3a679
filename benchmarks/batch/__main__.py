"""`python -m benchmarks.batch`: clips through `handrefine batch` and one by one, undisturbed and with kills.

`--nodes 3` runs them on an emulated Ray cluster besides. With `--work` every part is kept when it is done, so that
an interrupted run goes on.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.batch.clips import (
    SEED,
    Spent,
    done_of,
    environment,
    in_batch,
    largest_difference_mm,
    locally,
    make_clips,
    one_by_one,
    prepared,
    task_cpu_s,
    time_left_error,
    times_left,
)
from benchmarks.batch.cluster import Emulated, cpu_of_descendants_s
from benchmarks.batch.kills import HEAD, with_kills
from benchmarks.harness import Metric, Outcome, exit_status, finish, parser
from benchmarks.provenance import provenance
from handrefine.batch.folder import BatchFolder
from handrefine.batch.run import Runner
from handrefine.io.files import write_json

OVERHEAD_PERCENT, TIME_LEFT_PERCENT, FIRST = 10.0, 25.0, 0.1
#: Seconds of the clock between two checkpoints of a task; no kill may cost more.
CHECKPOINT_S = 30.0


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--clips", type=int, default=24)
    options.add_argument("--kills", type=int, default=10, help="on this machine, and as many on the cluster")
    options.add_argument("--nodes", type=int, default=0, help="of an emulated Ray cluster")
    options.add_argument("--work", type=Path, help="folder for videos and runs")
    options.add_argument("--head", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--address", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    environment()
    if chosen.head is not None:
        in_batch(BatchFolder(chosen.head), _runner(chosen.address))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        return exit_status(lambda: finish("batch", measured(chosen, work), chosen))


def _runner(address: str | None) -> Runner:
    if address is None:
        return locally
    from handrefine.batch.ray_cluster import Resources, run_on_ray

    return lambda of, names, ended: run_on_ray(of, names, ended, address, Resources())


def measured(chosen: argparse.Namespace, work: Path) -> Outcome:
    data = make_clips(work, chosen.clips)

    def part(name: str, perform: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was measured, or is now."""
        path = work / "parts" / f"{name}.json"
        if not path.is_file():
            found = perform()
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {**found, "commit": provenance()["commit"]})
            print(f"{name}: done", flush=True)
        return json.loads(path.read_text())

    def alone(name: str) -> Path:
        return work / "alone" / name

    def difference(folder: BatchFolder) -> float:
        return largest_difference_mm(folder.names(), alone, folder.run)

    settings = work / "settings.yaml"
    settings.write_text(
        (Path(__file__).parents[2] / "configs" / "quick.yaml").read_text() + "implausible_input: warn\n"
    )
    batch = prepared(data, work / "batch")
    took = {
        name: part(f"alone-{name}", lambda name=name: one_by_one(batch, name, work / "alone", settings))
        for name in batch.names()
    }
    alone_s = sum(of["cpu_s"] for of in took.values())
    samples: dict[str, Any] = {"one by one": took}

    def undisturbed() -> dict[str, Any]:
        spent = Spent()
        in_batch(batch, locally)
        return {**spent(), "tasks_s": task_cpu_s(batch)}

    samples["batch"] = undisturbed_s = part("batch", undisturbed)
    samples["time left"] = left = times_left(batch)
    metrics = [
        Metric("clips", len(took), ""),
        Metric("one by one, CPU", alone_s, "s"),
        Metric("batch, CPU", undisturbed_s["cpu_s"], "s"),
        _overhead("batch", undisturbed_s["cpu_s"] - undisturbed_s["tasks_s"], undisturbed_s["tasks_s"]),
        Metric("batch over one by one", 100 * (undisturbed_s["cpu_s"] / alone_s - 1), "%", OVERHEAD_PERCENT),
        Metric("difference of the batch", difference(batch), "mm", 0.0),
        Metric("error of the time left, by CPU", time_left_error(left, FIRST), "%", TIME_LEFT_PERCENT),
    ]
    if chosen.kills:
        folder = prepared(data, work / "killed")

        def killed() -> dict[str, Any]:
            spent = Spent()
            return {"kills": with_kills(folder, chosen.kills), **spent(), "attempts": _attempts(folder)}

        samples["kills"] = found = part("killed", killed)
        metrics += _after_kills("local", found, folder, difference(folder))
        cost = (found["cpu_s"] - undisturbed_s["cpu_s"]) / max(len(found["kills"]), 1)
        metrics.append(Metric("CPU that a kill costs", cost, "s", CHECKPOINT_S))
    if chosen.nodes:
        folder = prepared(data, work / "ray")
        samples["ray"] = found = part("ray", lambda: on_ray(folder, chosen.nodes))
        metrics += [
            Metric("Ray: CPU of tasks", found["tasks_s"], "s"),
            _overhead("Ray", found["cpu_s"], found["tasks_s"]),
            Metric("Ray: difference", difference(folder), "mm", 0.0),
        ]
        if chosen.kills:
            disturbed = prepared(data, work / "ray-killed")
            samples["ray kills"] = found = part(
                "ray-killed", lambda: killed_on_ray(disturbed, chosen.nodes, chosen.kills)
            )
            metrics += _after_kills("Ray", found, disturbed, difference(disturbed))
    return Outcome(metrics, samples, [SEED])


def on_ray(folder: BatchFolder, nodes: int) -> dict[str, Any]:
    """cpu_s: of the command and Ray's own processes once the cluster stands; tasks_s: of the tasks' processes."""
    with Emulated(nodes) as cluster:
        before_s = cpu_of_descendants_s()
        spent = Spent()
        subprocess.run([*HEAD, str(folder.root), "--address", cluster.address], check=True)
        cpu_s = cpu_of_descendants_s() - before_s + spent()["cpu_s"]
        return {"cpu_s": cpu_s, "wall_s": spent()["wall_s"], "tasks_s": task_cpu_s(folder), "start_s": before_s}


def killed_on_ray(folder: BatchFolder, nodes: int, kills: int) -> dict[str, Any]:
    with Emulated(nodes) as cluster:
        return {"kills": with_kills(folder, kills, cluster), "attempts": _attempts(folder)}


def _overhead(where: str, others_s: float, tasks_s: float) -> Metric:
    """What everything but the tasks' own processes takes, beside these."""
    return Metric(f"{where}: overhead beside the tasks' CPU", 100 * others_s / tasks_s, "%", OVERHEAD_PERCENT)


def _attempts(folder: BatchFolder) -> dict[str, int]:
    return {name: of.attempts for name, of in folder.states().items()}


def _after_kills(where: str, found: dict[str, Any], folder: BatchFolder, difference_mm: float) -> list[Metric]:
    counts = Counter(found["kills"])
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return [
        Metric(f"{where}: kills ({kinds})", len(found["kills"]), ""),
        Metric(f"{where}: clips done in spite of them", done_of(folder), "", len(folder.names()), "higher"),
        Metric(f"{where}: difference in spite of them", difference_mm, "mm", 0.0),
    ]


if __name__ == "__main__":
    sys.exit(main())

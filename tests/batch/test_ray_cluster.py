"""Tasks on a Ray cluster of three nodes on this machine; skipped where Ray is not installed."""

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_interhand26m import write_dataset

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray stays on the loopback interface then
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # for machines that have more to do
ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from handrefine.batch import ray_cluster  # noqa: E402
from handrefine.batch.folder import BatchFolder  # noqa: E402
from handrefine.batch.plan import BatchSettings  # noqa: E402
from handrefine.batch.ray_cluster import Resources, run_on_ray  # noqa: E402
from handrefine.batch.run import prepare_batch, run_batch  # noqa: E402
from handrefine.errors import InputError  # noqa: E402

pytestmark = pytest.mark.slow

#: A worker that does what the file `deed` says; it notes every time that it is begun, and on which node.
DEEDS = """
import json, os, pathlib, signal, sys, time
root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
with open(root / f"begun_{name}", "a") as file:
    file.write(os.environ.get("RAY_NODE_ID", "x") + "\\n")
times = len((root / f"begun_{name}").read_text().split())
state, deed = root / "states" / f"{name}.json", (root / f"deed_{name}").read_text()
state.parent.mkdir(exist_ok=True)
if deed == "die once" and times == 1:
    os.kill(os.getpid(), signal.SIGKILL)
parent = os.getppid()
while (root / f"deed_{name}").read_text() == "wait":
    time.sleep(0.05)
    if os.getppid() != parent:
        sys.exit(1)
if deed != "silent":
    status = {"status": "failed", "reason": "broken"} if deed == "fail" else {"status": "done"}
    state.write_text(json.dumps({**status, "attempts": times}))
"""


@pytest.fixture
def cluster():
    """A head and two more nodes, of one core each; no other machine can reach it."""
    small = {"num_cpus": 1, "object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
    made = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    for _ in range(2):
        made.add_node(**small)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchFolder:
    settings = BatchSettings(data=write_dataset(tmp_path / "data"), clip=1, overlap=0)
    monkeypatch.setattr(
        ray_cluster,
        "command",
        lambda folder, name, threads: [sys.executable, "-c", DEEDS, str(folder.root), name],
    )
    return prepare_batch(settings, tmp_path / "runs")


#: How long the process of a task may outlive its node, at most: it must not be told to end, and do so.
OUTLIVES_S = 10.0


def run(folder: BatchFolder, cluster: Cluster, *deeds: str) -> list[str]:
    for name, deed in zip(folder.names(), deeds, strict=True):
        (folder.root / f"deed_{name}").write_text(deed)

    def runner(folder: BatchFolder, names, told) -> None:
        run_on_ray(folder, names, told, cluster.address, Resources())

    return [of.status for of in run_batch(folder, runner, lambda name, state: None).values()]


def times_begun(folder: BatchFolder) -> list[int]:
    return [len((folder.root / f"begun_{name}").read_text().split()) for name in folder.names()]


def test_what_is_killed_is_begun_again_and_what_fails_is_told(folder: BatchFolder, cluster: Cluster) -> None:
    assert run(folder, cluster, "die once", "fail", "silent") == ["done", "failed", "failed"]
    assert times_begun(folder) == [2, 1, 1]
    reasons = [folder.state(name).reason for name in folder.names()]
    assert reasons[1] == "broken"
    assert "status 0" in str(reasons[2])


def test_a_node_that_dies_loses_nothing(folder: BatchFolder, cluster: Cluster) -> None:
    """Its task is begun again elsewhere; the others go on."""
    begun = [folder.root / f"begun_{name}" for name in folder.names()]

    def kill_a_node() -> None:
        while not all(path.exists() for path in begun):
            time.sleep(0.05)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        time.sleep(OUTLIVES_S)
        for name in folder.names():
            (folder.root / f"deed_{name}").write_text("do")

    threading.Thread(target=kill_a_node, daemon=True).start()
    assert run(folder, cluster, "wait", "wait", "wait") == ["done"] * 3
    assert sorted(times_begun(folder)) == [1, 1, 2]


def test_what_is_at_work_on_a_cluster_that_dies_has_not_failed(folder: BatchFolder, cluster: Cluster) -> None:
    """The same command goes on with it, once the cluster is there again."""

    def kill_head() -> None:
        while not all((folder.root / f"begun_{name}").exists() for name in folder.names()):
            time.sleep(0.05)
        cluster.head_node.kill_raylet(check_alive=False)

    threading.Thread(target=kill_head, daemon=True).start()
    with pytest.raises(InputError, match=r"the Ray cluster is gone(.|\n)*same command again"):
        run(folder, cluster, "wait", "wait", "wait")
    assert {of.status for of in folder.states().values()} <= {"queued", "running"}


def test_a_cluster_that_is_not_there(folder: BatchFolder) -> None:
    with pytest.raises(InputError, match="no such Ray cluster"):
        run_on_ray(folder, folder.names(), lambda name: None, "127.0.0.1:1", Resources())


def test_a_task_waits_for_the_one_that_gives_it_a_person(folder: BatchFolder, cluster: Cluster) -> None:
    giver, *others = folder.names()
    for name in others:
        folder.write_task(replace(folder.task(name), after=(giver,)))
    seen: list[bool] = []

    def let_go() -> None:
        while not (folder.root / f"begun_{giver}").exists():
            time.sleep(0.05)
        time.sleep(1.0)  # there is room for all three
        seen.extend((folder.root / f"begun_{name}").exists() for name in others)
        (folder.root / f"deed_{giver}").write_text("do")

    threading.Thread(target=let_go, daemon=True).start()
    assert run(folder, cluster, "wait", "do", "do") == ["done"] * 3
    assert seen == [False, False]

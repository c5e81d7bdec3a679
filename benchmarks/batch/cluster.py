"""A Ray cluster of several nodes, all on this machine and reachable from nowhere else."""

import os
import random
from importlib import import_module
from pathlib import Path
from typing import Any

#: Of a node: one task at a time, and little memory for objects, which the batch does not use.
_SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Emulated:
    """Nodes that can be killed. To be used as a context: at its end they are gone."""

    def __init__(self, nodes: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray stays on the loopback interface then
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # of nodes that share a core
        self._nodes = nodes
        self._start()

    def _start(self) -> None:
        made: Any = import_module("ray.cluster_utils").Cluster
        self._cluster = made(initialize_head=True, head_node_args={**_SMALL, "include_dashboard": False})
        for _ in range(self._nodes - 1):
            self._cluster.add_node(**_SMALL)

    @property
    def address(self) -> str:
        return self._cluster.address

    def kill_node(self, rng: random.Random) -> None:
        """One that is not the cluster's head; another one takes its place."""
        victim = rng.choice(sorted(self._cluster.worker_nodes, key=id))
        self._cluster.remove_node(victim, allow_graceful=False)
        self._cluster.add_node(**_SMALL)

    def kill_all(self) -> None:
        """All nodes at once, the cluster's head among them; a new cluster takes their place."""
        self._cluster.shutdown()
        self._start()

    def __enter__(self) -> "Emulated":
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.shutdown()


def cpu_of_descendants_s() -> float:
    """Seconds of the processor of all processes below this one that live; those that have ended do not count."""
    parents, spent = dict[int, int](), dict[int, float]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        number = int(path.parent.name)
        parents[number] = int(words[1])
        spent[number] = sum(map(int, words[11:13])) / _TICKS_PER_S
    below, found = {os.getpid()}, 0.0
    while more := {number for number, parent in parents.items() if parent in below} - below:
        below |= more
        found += sum(spent[number] for number in more)
    return found

"""A batch during which workers, nodes and heads are killed at random, as often as is asked for."""

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Literal

from benchmarks.batch.clips import SEED
from benchmarks.batch.cluster import Emulated
from handrefine.batch.folder import BatchFolder

#: worker: the process of a task. head: of the command. node: one of the cluster's. cluster: all of its nodes.
Kind = Literal["worker", "head", "node", "cluster"]
#: Seconds between two kills, at random.
KILL_AFTER_S = (20.0, 90.0)
#: The command that is killed: the whole batch.
HEAD = (sys.executable, "-m", "benchmarks.batch", "--head")
#: Workers notice that their head is gone.
SETTLED_S = 3.0
#: The same command is given so often, at most, before clips count as lost.
MOST_HEADS = 50


def with_kills(folder: BatchFolder, kills: int, cluster: Emulated | None = None) -> list[Kind]:
    """All clips, on this machine or on a cluster; returns what was killed, in turn.

    Whenever the command has ended without all clips done it is given again.
    """
    if cluster is None:
        _adopt()
    rng, killed = random.Random(SEED), list[Kind]()
    kinds: Sequence[Kind] = ("worker", "head") if cluster is None else ("worker", "head", "node", "cluster")
    for _ in range(MOST_HEADS):
        address = [] if cluster is None else ["--address", cluster.address]
        head = subprocess.Popen([*HEAD, str(folder.root), *address], start_new_session=True)
        while len(killed) < kills and head.poll() is None:
            due = time.monotonic() + rng.uniform(*KILL_AFTER_S)
            while time.monotonic() < due and head.poll() is None:
                time.sleep(0.5)
            if head.poll() is None and (did := _kill(rng.choice(kinds), folder, head, cluster, rng)):
                killed.append(did)
        head.wait()
        time.sleep(SETTLED_S)
        if cluster is None:
            _reap()
        if all(of.status in ("done", "failed") for of in folder.states().values()):
            break
    return killed


def _adopt() -> None:
    """Make processes that lose their head children of this one, so that their seconds count (on Linux)."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _reap() -> None:
    """Count the seconds of adopted processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # there are none
        pass


def _kill(
    kind: Kind,
    folder: BatchFolder,
    head: "subprocess.Popen[bytes]",
    cluster: Emulated | None,
    rng: random.Random,
) -> Kind | None:
    """None where nothing was there to be killed."""
    if kind == "worker":
        running = [of.process for of in folder.states().values() if of.status == "running" and of.process]
        if not running:
            return None
        try:
            os.kill(rng.choice(running), signal.SIGKILL)
        except ProcessLookupError:  # it has ended just now
            return None
    elif kind == "head" or cluster is None:
        head.kill()
    elif kind == "node":
        cluster.kill_node(rng)
    else:
        cluster.kill_all()
        head.kill()  # it would wait for its cluster; the same command begins with the new one
    return kind

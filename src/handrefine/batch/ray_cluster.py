"""Tasks on a Ray cluster: Ray finds a node for each; results come by the file system that all nodes share."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from handrefine.batch.folder import BatchFolder
from handrefine.batch.local import ATTEMPTS, LOOK_S, command
from handrefine.batch.waiting import Waiting
from handrefine.errors import InputError

#: How long a cluster may take to answer.
PATIENCE_S = 10.0
#: Ray reports to its makers unless this says otherwise.
_SILENT = {"RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True)
class Resources:
    """What a task asks Ray for: cores, GPUs (shares of one are allowed), and memory in bytes."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int = 0


def run_on_ray(
    folder: BatchFolder,
    names: Iterable[str],
    told: Callable[[str], None],
    address: str,
    resources: Resources,
) -> None:
    """Do tasks wherever Ray finds room; it begins one again, elsewhere, whose node or process has died.

    Each is done by a process that the Ray worker starts, as on one machine: the same digits, and nothing that it
    leaves behind in memory.

    Args:
        address: of a running cluster, `auto` for the one that this machine belongs to.

    Raises:
        InputError: Ray is not installed, there is no such cluster, or it dies; what was at work there has not
            failed then, and the same command goes on with it.
    """
    ray = _connected(address)
    head = str(ray.get_runtime_context().gcs_address)
    options: dict[str, Any] = {
        "num_cpus": resources.cpus,
        "num_gpus": resources.gpus,
        "max_retries": ATTEMPTS - 1,
        "retry_exceptions": [RuntimeError],
    }
    if resources.memory_bytes:
        options["memory"] = resources.memory_bytes
    remote = ray.remote(**options)(_work)
    threads = max(1, round(resources.cpus))
    waiting, begun = Waiting(folder, names), dict[Any, str]()
    while waiting or begun:
        for name in waiting.take():
            begun[remote.remote(command(folder, name, threads), str(folder.log(name)))] = name
        if not begun:
            time.sleep(LOOK_S)  # another head has what these wait for
            continue
        (ended, *_), _ = ray.wait(list(begun), num_returns=1)
        name = begun.pop(ended)
        try:
            _check(folder, name, f"its process ended with status {ray.get(ended)}, see {folder.log(name)}")
        except ray.exceptions.RayError as error:
            if isinstance(error, ray.exceptions.LocalRayletDiedError) or not _answers(head):
                raise InputError(
                    "the Ray cluster is gone",
                    where=f"--cluster {address}",
                    found=" ".join(str(error).split())[:300],
                    fix="start it again, and give the same command again: it goes on where it was",
                ) from error
            _check(folder, name, " ".join(str(error).split())[:300])
        waiting.ended(name)
        told(name)


def _connected(address: str) -> Any:
    os.environ.update({name: os.environ.get(name, value) for name, value in _SILENT.items()})
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise InputError(
            "Ray is not installed",
            where="--cluster",
            fix="pip install '.[cluster]' in handrefine's folder, on every node",
        ) from None
    if not ray.is_initialized():
        try:
            _check_reachable(address)
            ray.init(address=address, log_to_driver=False, logging_level="warning")
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                "there is no such Ray cluster",
                where=f"--cluster {address}",
                found=str(error).splitlines()[0] if str(error) else error,
                fix="start one: `ray start --head`; see docs/clusters.md",
            ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes, and end the process in the end.

    Raises:
        OSError: nothing answers at this host and port.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()


def _answers(address: str) -> bool:
    try:
        _check_reachable(address)
    except OSError:
        return False
    return True


def _work(words: list[str], log: str) -> int:
    """Runs on a node; returns the process's exit status. A process that was killed is an error, so that Ray begins
    the task again; one that failed by itself has written why into the state of its task."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "ab") as file:
        code = subprocess.run(
            [sys.executable, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code < 0:
        raise RuntimeError(f"the process was killed by signal {-code}")
    return code


def _check(folder: BatchFolder, name: str, what: str) -> None:
    """A task that has ended without a word has failed, unless another process has it."""
    with folder.claimed(name) as free:
        state = folder.state(name)
        if free and state.status in ("queued", "running"):
            folder.write_state(name, replace(state, status="failed", reason=f"Ray gave it up: {what}"))

"""Tasks on this machine: a fresh process each, so that one that dies takes no other with it."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from handrefine.batch.folder import BatchFolder
from handrefine.batch.waiting import Waiting

#: How often the processes are looked at.
LOOK_S = 0.2
#: A task whose process was killed is begun so often, by one call of the command, before it counts as failed.
ATTEMPTS = 3
#: How long workers may take to end once they are told to.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class _Worker:
    name: str
    slot: int
    process: subprocess.Popen[bytes]


def run_locally(
    folder: BatchFolder, names: Iterable[str], workers: int, told: Callable[[str], None] = lambda name: None
) -> None:
    """Do tasks, `workers` at a time. They share the cores; of several GPUs each gets one in turn.

    Args:
        told: gets the name of every task that has ended.
    """
    waiting, free, running = Waiting(folder, names), set(range(workers)), list[_Worker]()
    begun = Counter[str]()
    try:
        while waiting or running:
            for name in waiting.take(len(free)):
                slot = free.pop()
                begun[name] += 1
                running.append(_Worker(name, slot, _start(folder, name, slot, workers)))
            time.sleep(LOOK_S)
            for worker in [of for of in running if of.process.poll() is not None]:
                running.remove(worker)
                free.add(worker.slot)
                if _begin_again(folder, worker, begun[worker.name] < ATTEMPTS):
                    waiting.put_back(worker.name)
                else:
                    waiting.ended(worker.name)
                    told(worker.name)
    finally:
        _end([worker.process for worker in running])


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(k) for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else []


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """One a GPU, or one a core: a task keeps a core busy, and hardly two."""
    return len(gpus()) or cores()


def command(folder: BatchFolder, name: str, threads: int) -> list[str]:
    """What a worker is started by."""
    return [sys.executable, "-m", "handrefine.batch.worker", str(folder.root), name, str(threads)]


def _start(folder: BatchFolder, name: str, slot: int, workers: int) -> "subprocess.Popen[bytes]":
    path, devices = folder.log(name), gpus()
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {}
    with path.open("ab") as log:
        return subprocess.Popen(
            command(folder, name, max(1, cores() // workers)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the head, which passes it on once
            env={**os.environ, **environment},
        )


def _begin_again(folder: BatchFolder, worker: _Worker, once_more: bool) -> bool:
    """Whether a task is to be done again, because its process died; without `once_more` it has failed then."""
    state = folder.state(worker.name)
    if state.status in ("done", "failed"):
        return False
    if state.status == "running" and state.process != worker.process.pid:
        return False  # another machine has it
    code = worker.process.returncode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    reason = f"the process {how}" + (", perhaps for want of memory" if code == -9 else "")
    status = "queued" if once_more else "failed"
    attempts = max(state.attempts, 1)
    folder.write_state(
        worker.name, replace(state, status=status, reason=reason, ended=time.time(), attempts=attempts)
    )
    return once_more


def _end(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """End workers and wait for them: what they are told first lets them keep what they have."""
    left = list(processes)
    for process in left:
        process.terminate()
    for process in left:
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""Tasks in processes of this machine: what is killed, fails or is begun twice costs nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_interhand26m import write_dataset

from handrefine.batch import local
from handrefine.batch.folder import BatchFolder
from handrefine.batch.local import ATTEMPTS, run_locally
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch, run_batch
from handrefine.batch.state import TaskState
from handrefine.batch.status import status_of
from handrefine.batch.worker import do_task
from handrefine.errors import InputError

#: A worker that does what the file `deed` says, without importing PyTorch; it notes every time that it is begun.
DEEDS = """
import json, os, pathlib, signal, sys, time
root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
with open(root / f"begun_{name}", "a") as file:
    file.write("x")
state, deed = root / "states" / f"{name}.json", (root / f"deed_{name}").read_text()
state.parent.mkdir(exist_ok=True)
running = {"status": "running", "process": os.getpid(), "node": "here", "started": 1.0}
attempts = json.loads(state.read_text())["attempts"] if state.exists() else 0
state.write_text(json.dumps({**running, "attempts": attempts + 1}))
if deed == "sleep":
    time.sleep(60)
if deed == "die" or (deed == "die once" and attempts == 0):
    os.kill(os.getpid(), signal.SIGKILL)
if deed != "silent" and (deed != "silent once" or len((root / f"begun_{name}").read_text()) > 1):
    end = {"status": "failed", "reason": "broken"} if deed == "fail" else {"status": "done"}
    state.write_text(json.dumps({**running, **end, "attempts": attempts + 1, "ended": 3.0}))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchFolder:
    """Three tasks, one a frame, for workers that do as they are told."""
    settings = BatchSettings(data=write_dataset(tmp_path / "data"), clip=1, overlap=0)

    def command(folder: BatchFolder, name: str, threads: int) -> list[str]:
        return [sys.executable, "-c", DEEDS, str(folder.root), name]

    monkeypatch.setattr(local, "command", command)
    monkeypatch.setattr(local, "gpus", list)
    monkeypatch.setattr(local, "LOOK_S", 0.02)
    return prepare_batch(settings, tmp_path / "runs")


def tell(folder: BatchFolder, *deeds: str) -> list[str]:
    for name, deed in zip(folder.names(), deeds, strict=True):
        (folder.root / f"deed_{name}").write_text(deed)
    return folder.names()


def run(folder: BatchFolder, **options: bool) -> list[str]:
    """What became of every task."""
    ended: list[str] = []
    left_alone = {"done"} if options.get("retry_failed") else {"done", "failed"}
    to_do = sorted(name for name, of in folder.states().items() if of.status not in left_alone)

    def runner(folder: BatchFolder, names, told) -> None:
        run_locally(folder, names, 2, told)

    states = run_batch(folder, runner, lambda name, state: ended.append(name), **options)
    assert sorted(ended) == to_do  # each is told once
    return [of.status for of in states.values()]


def begun(folder: BatchFolder) -> list[int]:
    files = [folder.root / f"begun_{name}" for name in folder.names()]
    return [len(file.read_text()) if file.exists() else 0 for file in files]


def test_all_are_done_and_none_twice(folder: BatchFolder) -> None:
    tell(folder, "do", "do", "do")
    assert run(folder) == ["done"] * 3
    assert run(folder) == ["done"] * 3
    assert begun(folder) == [1, 1, 1]


def test_a_task_that_is_killed_is_done_again_and_stops_no_other(folder: BatchFolder) -> None:
    names = tell(folder, "die once", "die", "silent")
    assert run(folder) == ["done", "failed", "failed"]
    assert begun(folder) == [2, ATTEMPTS, ATTEMPTS]
    assert "signal 9" in str(folder.state(names[1]).reason)
    assert "status 0" in str(folder.state(names[2]).reason)


def test_heads_that_died_do_not_count_against_a_task(folder: BatchFolder) -> None:
    """Its process went with them: one more that dies by itself is begun again."""
    name, *_ = tell(folder, "silent once", "do", "do")
    folder.write_state(name, TaskState("running", "here", 1, 1.0, attempts=ATTEMPTS))
    assert run(folder) == ["done"] * 3
    assert begun(folder)[0] == 2


def test_what_failed_is_done_again_only_if_asked_for(folder: BatchFolder) -> None:
    names = tell(folder, "do", "fail", "do")
    assert run(folder) == ["done", "failed", "done"]
    assert folder.state(names[1]).reason == "broken"
    tell(folder, "do", "do", "do")
    assert run(folder) == ["done", "failed", "done"]
    assert run(folder, retry_failed=True) == ["done"] * 3
    assert begun(folder) == [1, 2, 1]


def test_an_interrupted_head_ends_its_workers(folder: BatchFolder) -> None:
    names = tell(folder, "sleep", "sleep", "do")

    def interrupt() -> None:
        states = [folder.root / "states" / f"{name}.json" for name in names[:2]]
        while not all(path.exists() and path.read_text() for path in states):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background jobs deaf to it
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_locally(folder, names, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    for name in names[:2]:
        process = folder.state(name).process
        assert process is not None
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert status_of(folder).counts == {"queued": 3, "running": 0, "done": 0, "failed": 0}


def test_a_claimed_task_is_left_alone(folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock goes with the process that holds it."""
    name = folder.names()[0]
    code = (
        "import sys, time; from pathlib import Path; from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(60)"
    )
    locks = folder.root / "locks"
    locks.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(locks / f"{name}.lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    folder.write_state(name, TaskState("running", "elsewhere", 1, time.time(), attempts=1))
    monkeypatch.setattr("handrefine.batch.worker.PATIENCE_S", 0.1)
    assert do_task(folder, name).status == "running"
    assert status_of(folder).counts["running"] == 1
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert status_of(folder).counts["running"] == 0


def test_why_a_task_failed_is_told_in_one_line(folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(task: object, **_: bool) -> None:
        raise InputError("an image is broken", where="image 7", fix="download it again")

    monkeypatch.setattr("handrefine.batch.worker.run_task", broken)
    state = do_task(folder, folder.names()[0])
    assert (state.status, state.attempts) == ("failed", 1)
    assert state.reason == "an image is broken where: image 7 fix: download it again"
    monkeypatch.setattr("handrefine.batch.worker.run_task", lambda task, **_: 1 / 0)
    assert do_task(folder, folder.names()[1]).reason == "ZeroDivisionError: division by zero"


def test_a_result_that_is_no_improvement_is_told(folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[bool] = []
    run = SimpleNamespace(metrics={"against": ["it explains the images worse"]})
    monkeypatch.setattr("handrefine.batch.worker.run_task", lambda task, resume, **_: resumed.append(resume))
    monkeypatch.setattr("handrefine.batch.worker.open_run", lambda out: run)
    state = do_task(folder, folder.names()[0])
    assert (state.status, state.reason) == ("done", "it explains the images worse")
    assert resumed == [True]  # from the checkpoints of a process that died
    assert folder.state(folder.names()[0]) == state
    assert state.peak_memory_mb is None or 50 < state.peak_memory_mb < 100_000


def test_time_left_and_throughput(folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = folder.names()
    monkeypatch.setattr("handrefine.batch.status.time.time", lambda: 1000.0)
    assert status_of(folder).seconds_left is None
    folder.write_state(first, TaskState("done", started=880.0, ended=980.0, attempts=1))
    folder.write_state(second, TaskState("running", "here", 1, 970.0, attempts=1))
    with folder.claimed(second):
        now = status_of(folder)
    assert now.seconds_left == pytest.approx(70 + 100)  # one worker, 100 s a task
    assert now.frames_per_hour == pytest.approx(36)
    assert third in [row.task.name for row in now.rows if row.state.status == "queued"]

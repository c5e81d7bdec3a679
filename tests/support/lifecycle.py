"""Runs for tests of stops and kills: a tiny video, and `handrefine refine` in a process of its own."""

import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import yaml

from handrefine.config import Config
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize


def tiny_video(folder: Path) -> Path:
    """Two frames before three cameras."""
    settings = SyntheticSettings(n_cameras=3, n_frames=2, size=48, texture_size=32)
    synthesize(folder, ("right",), settings, 10.0, Config(seed=1000))
    return folder


def write_config(path: Path, iterations: int) -> Path:
    """All stages, so many iterations each, and everything that happens at their ends."""
    names = ("environment", "texture", "coarse", "again", "joint", "finish")
    stages = [{"name": name, "iterations": iterations} for name in names]
    stages[2] |= {"mend_cameras": True, "renew_labels": True}
    path.write_text(yaml.safe_dump({"texture": {"size": 16}, "camera_weights": {"every": 3}, "stages": stages}))
    return path


def started(*arguments: object) -> "subprocess.Popen[str]":
    """`handrefine` with these arguments; one thread, so that sums have one order."""
    command = [sys.executable, "-m", "handrefine", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DRJIT_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )


def forked(said: Path, *arguments: object) -> BaseProcess:
    """`handrefine` with these arguments in a process that has imported everything already, on one thread.

    said: what it prints is appended there.
    """
    os.environ |= {"OMP_NUM_THREADS": "1", "DRJIT_NUM_THREADS": "1"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["handrefine.pipeline", "handrefine.cli.main", "handrefine.cli.resume"])
    process = context.Process(target=_command, args=(str(said), list(map(str, arguments))))
    process.start()
    return process


def _command(said: str, arguments: list[str]) -> None:
    with open(said, "a", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    from handrefine.cli.main import main

    main(arguments)


def cpu_seconds(process: BaseProcess) -> float:
    """How long it has computed, whatever other programs do meanwhile; 0 once it has ended."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ended(process: "subprocess.Popen[str]", timeout_s: float = 300) -> tuple[int, str]:
    """Its exit status, and what it said."""
    said, _ = process.communicate(timeout=timeout_s)
    return process.returncode, said


def wait_for_iterations(log: Path, count: int, process: "subprocess.Popen[str]", timeout_s: float = 300) -> None:
    """Until a run's log has so many lines."""
    until = time.monotonic() + timeout_s
    while not log.is_file() or log.read_text().count("\n") < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.01)


def annotation_difference(a: Path, b: Path) -> float:
    """The largest, over all numbers of two runs' annotations."""
    with np.load(a / "annotation.npz") as one, np.load(b / "annotation.npz") as other:
        assert set(one) == set(other)
        numbers = [name for name in one if one[name].dtype.kind == "f"]
        return max(float(np.nanmax(np.abs(one[name] - other[name]), initial=0)) for name in numbers)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}

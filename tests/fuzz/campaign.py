"""Many inputs in processes of their own: crashes, hangs and memory are found as well as exceptions."""

import multiprocessing
import resource
import shutil
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from fuzz.targets import TARGETS, mutate
from handrefine.errors import InputError
from lifecycle import cpu_seconds

#: What no input may need: seconds of computing (on a busy machine they take longer), or of waiting; memory.
MOST_SECONDS, MOST_WAITING, MOST_BYTES = 10.0, 60.0, 2**30


@dataclass
class Report:
    """How inputs ended: read, refused with a message, or faulty."""

    read: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


class Bench:
    """One target's valid files in a folder; every input changes one of them, and it is put back."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.target, self.folder = name, TARGETS[name], folder
        folder.mkdir(parents=True, exist_ok=True)
        self.target.write(folder)
        self.contents = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        if name == "annotation":
            self.contents = {path: of for path, of in self.contents.items() if path.name == "annotation.npz"}

    def outcome(self, seed: int) -> str:
        """read, refused, or what went wrong, for the input of this seed."""
        random = np.random.default_rng(seed)
        path = list(self.contents)[int(random.integers(len(self.contents)))]
        content = mutate(path, self.contents[path], random)
        path.write_bytes(content)
        try:
            return self.outcome_of_files(f"seed {seed}, {path.relative_to(self.folder)}")
        finally:
            path.write_bytes(self.contents[path])

    def outcome_of_files(self, what: str) -> str:
        """The same of the files as they are now."""
        try:
            self.target.read(self.folder)
        except InputError as error:
            str(error).encode()
            return "refused"
        except BaseException as error:  # every other exception is the finding
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            return f"{self.name}, {what}: {type(error).__name__} at {place}: {str(error)[:200]}"
        return "read"


def run(names: list[str], n_inputs: int, first_seed: int, folder: Path) -> Report:
    """So many inputs of every target, each target in turn in processes that may die."""
    report = Report()
    for name in names:
        seeds = iter(range(first_seed, first_seed + n_inputs))
        while (left := list(seeds)) != []:
            seeds = iter(_some(name, left, folder / name, report))
        shutil.rmtree(folder / name, ignore_errors=True)
    return report


def _some(name: str, seeds: list[int], folder: Path, report: Report) -> list[int]:
    """Inputs until a process has done all of them or had to end; returns those that are left."""
    shutil.rmtree(folder, ignore_errors=True)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(name, seeds, folder, theirs))
    process.start()
    theirs.close()
    patience = 120.0  # for the valid files to be written
    for k in range(-1, len(seeds)):
        if not _answers(ours, process, patience):
            report.faults.append(f"{name}, seed {seeds[max(k, 0)]}: hangs for more than {patience:.0f} s")
            break
        try:
            outcome, more_bytes = ours.recv()
        except EOFError:
            process.join()
            report.faults.append(f"{name}, seed {seeds[max(k, 0)]}: the process died, exit {process.exitcode}")
            break
        patience = MOST_SECONDS
        if outcome == "read":
            report.read += 1
        elif outcome == "refused":
            report.refused += 1
        elif outcome != "ready":
            report.faults.append(outcome)
        if more_bytes > MOST_BYTES:
            report.faults.append(f"{name}, seed {seeds[k]}: {more_bytes / 2**20:.0f} MiB more than at the start")
            break
    else:
        process.join()
        return []
    process.kill()
    process.join()
    return seeds[max(k, 0) + 1 :]


def _answers(pipe: Connection, process: BaseProcess, patience_s: float) -> bool:
    """Whether the process says something before it has computed so long; or waited for something."""
    began, began_cpu = time.monotonic(), cpu_seconds(process)
    while not pipe.poll(0.2):
        if cpu_seconds(process) - began_cpu > patience_s or time.monotonic() - began > patience_s + MOST_WAITING:
            return False
    return True


def _work(name: str, seeds: list[int], folder: Path, pipe: Connection) -> None:
    bench = Bench(name, folder)
    bench.outcome_of_files("the valid files")  # what is loaded once is no input's memory
    baseline = _peak_bytes()
    pipe.send(("ready", 0))
    for seed in seeds:
        pipe.send((bench.outcome(seed), _peak_bytes() - baseline))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

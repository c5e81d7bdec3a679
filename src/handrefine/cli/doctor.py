"""`handrefine doctor`: what this machine has of what handrefine needs, and what to do about the rest."""

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from handrefine.cli.common import Configured
from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.hand.model import load_hand_model
from handrefine.render.mitsuba.llvm import system_libraries
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.render.redner.adapter import worker_command
from handrefine.render.redner.client import WorkerClient
from handrefine.render.redner.environment import create_environment, environment_folder

PACKAGES = ("handrefine", "mitsuba", "drjit", "torch", "smplx", "numpy")
FAILURE = 1


@dataclass(frozen=True, kw_only=True)
class Doctor(Configured):
    """Say which Mitsuba variant, LLVM, CUDA device and hand model are found, and what to do about the rest."""

    redner: bool = False
    """Set up Redner's environment, too (a download of 2 GB, once), and start its worker."""
    redner_python: Path | None = None
    """Python 3.8 for Redner; found by itself where there is one with pyenv, with conda or on the PATH."""

    def __call__(self, console: Console) -> None:
        if not doctor(self.settings, redner=self.redner, redner_python=self.redner_python, console=console):
            raise SystemExit(FAILURE)


@dataclass(frozen=True)
class Finding:
    """One line of the report; `fix` is empty where nothing has to be done."""

    subject: str
    found: str
    good: bool
    fix: str = ""


def doctor(config: Config, *, redner: bool = False, redner_python: Path | None = None, console: Console) -> bool:
    """Print the report; True when a refinement can run.

    redner: set up the environment of that backend where it is missing, with this Python if one is named.
    """
    findings = [_python(), *_packages(), _cuda(), *_renderer(config), _hand(config)]
    if redner:
        findings += _redner(redner_python, console)
    table = Table(show_lines=False)
    for column in ("", "what", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]ok[/]" if finding.good else "[red]missing[/]"
        table.add_row(mark, *(escape(text) for text in (finding.subject, finding.found, finding.fix)))
    console.print(table)
    return all(finding.good for finding in findings)


def _python() -> Finding:
    return Finding("Python", f"{sys.version.split()[0]} on {platform.platform()}", sys.version_info >= (3, 10))


def _packages() -> list[Finding]:
    findings = []
    for name in PACKAGES:
        try:
            findings.append(Finding(name, version(name), True))
        except PackageNotFoundError:
            findings.append(Finding(name, "not installed", False, f"pip install {name}"))
    return findings


def _cuda() -> Finding:
    """No GPU is a fact, not a fault."""
    if not torch.cuda.is_available():
        hint = "" if torch.version.cuda else "for a GPU: a CUDA build of PyTorch and an NVIDIA driver"
        return Finding("CUDA device", "none: the CPU is used", True, hint)
    return Finding("CUDA device", torch.cuda.get_device_name(), True)


def _renderer(config: Config) -> list[Finding]:
    try:
        runtime = start_mitsuba(config.render.variant)
    except InputError as error:
        found = str(error.found) if error.found else error.what
        return [Finding("LLVM" if "LLVM" in error.what else "renderer", found, False, error.fix or "")]
    findings = [Finding("Mitsuba variant", runtime.variant, True)]
    if runtime.llvm is not None:
        old = [str(lib.major) for lib in system_libraries() if lib.major < runtime.llvm.major]
        note = f"; system versions {', '.join(sorted(old))} are not used" if old else ""
        findings.append(Finding("LLVM", f"version {runtime.llvm}{note}", True))
    return findings


def _redner(named: Path | None, console: Console) -> list[Finding]:
    try:
        with console.status(f"Redner's environment in {environment_folder()}: a few minutes the first time"):
            python = create_environment(named)
            worker = WorkerClient(worker_command())
    except InputError as error:
        found = f"{error.what}: {error.found}" if error.found else error.what
        return [Finding("Redner", found, False, error.fix or "")]
    with worker:
        said = worker.ready
    return [Finding("Redner", f"worker with Python {said['python']}, torch {said['torch']}: {python}", True)]


def _hand(config: Config) -> Finding:
    try:
        hands = [load_hand_model(side, config.hand.model_file) for side in ("right", "left")]
    except InputError as error:
        return Finding("hand model", error.what, False, error.fix or "")
    note = "" if not hands[0].open_hand else "for MANO itself: --hand.model-file FOLDER_OF_MANO_RIGHT_AND_LEFT"
    return Finding("hand model", f"{hands[0].name}, {hands[0].n_vertices} vertices", True, note)

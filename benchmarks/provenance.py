"""With what a sample was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from handrefine.runs.provenance import PACKAGES

ROOT = Path(__file__).parents[1]


def provenance() -> dict[str, object]:
    """Commit (with + where the checkout had changes), processor, versions."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    cores = len(os.sched_getaffinity(0))
    return {
        "commit": commit + ("+" if changed else ""),
        "machine": f"{_processor()}, {cores} core{'s' if cores > 1 else ''}",
        "versions": {name: version(name) for name in PACKAGES},
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")

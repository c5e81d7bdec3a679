"""Do the pinned versions install? Resolves every extra with constraints.txt for every Python, from wheels.

    python tools/check_constraints.py            # needs uv (`pip install uv`) and a package index
    python tools/check_constraints.py 3.10 3.14  # these versions only

It asks uv, because pip's `--python-version` leaves environment markers to the Python that runs pip.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
#: No extra, each of its own, and all of them.
EXTRAS: tuple[tuple[str, ...], ...] = (
    (),
    ("cpu",),
    ("view",),
    ("detect",),
    ("cluster",),
    ("test",),
    ("docs",),
    ("cpu", "view"),
    ("cpu", "view", "detect", "cluster", "test", "docs"),
)


def complaint(uv: str, python: str, extras: tuple[str, ...]) -> str:
    """What stands in the way of an installation; empty where nothing does."""
    options = ["--constraint", "constraints.txt", "--python-version", python, "--only-binary", ":all:", "--quiet"]
    chosen = [option for extra in extras for option in ("--extra", extra)]
    done = subprocess.run(
        [uv, "pip", "compile", "pyproject.toml", *chosen, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip()


def main(pythons: list[str]) -> int:
    """Print a line for each combination; 1 where one cannot be installed."""
    uv = shutil.which("uv")
    if uv is None:
        print("uv is missing: pip install uv", file=sys.stderr)
        return 2
    failed = 0
    for python in pythons or PYTHONS:
        for extras in EXTRAS:
            found = complaint(uv, python, extras)
            failed += bool(found)
            print(f"Python {python} [{','.join(extras)}]: {found or 'resolves'}")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

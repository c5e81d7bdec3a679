"""The worker's own environment: an old Python found on this machine, and the pinned packages in it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handrefine.errors import InputError

PYTHON_VARIABLE = "HANDREFINE_REDNER_PYTHON"
FOLDER_VARIABLE = "HANDREFINE_REDNER_ENVIRONMENT"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
#: Redner's wheels exist for these, and the pins for the last of them only.
WHEELS, PINNED = ((3, 6), (3, 7), (3, 8)), (3, 8)
INSTALL_TIMEOUT_S = 1800


@dataclass(frozen=True)
class OldPython:
    """An interpreter and its version."""

    path: Path
    version: tuple[int, int]


def environment_folder() -> Path:
    """Where the environment is: the variable's folder, else in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "handrefine" / "redner" / "venv"


def worker_python() -> Path:
    """The environment's interpreter.

    Raises:
        InputError: there is no complete environment.
    """
    folder = environment_folder()
    python = folder / "bin" / "python"
    if not python.exists() or _installed(folder) != REQUIREMENTS.read_text():
        raise InputError(
            "Redner's environment is missing or out of date",
            where=folder,
            fix="`handrefine doctor --redner` (or `make redner`) creates it: about 2 GB",
        )
    return python


def find_python(named: Path | None = None) -> OldPython:
    """The newest Python that Redner has wheels for.

    Asked in turn: the argument, the environment variable, pyenv, conda, PATH. What is named must fit.

    Raises:
        InputError: none is found, or the named one does not fit.
    """
    variable = os.environ.get(PYTHON_VARIABLE)
    if named is None and variable:
        named = Path(variable)
    if named is not None:
        version = _version(named)
        if version not in WHEELS:
            raise InputError(
                "Redner needs CPython 3.6 to 3.8",
                where=named,
                found=(version and ".".join(map(str, version))) or "nothing that runs",
                fix=f"name another with --redner-python or {PYTHON_VARIABLE}",
            )
        return OldPython(named, version)
    found = [OldPython(path, v) for path in _candidates() if (v := _version(path)) in WHEELS]
    if not found:
        raise InputError(
            "no Python for Redner",
            expected="CPython 3.8 (3.6 and 3.7 have wheels of Redner, but not of every pinned package)",
            found="none with pyenv, with conda, or on the PATH",
            fix=f"`pyenv install 3.8` or `conda create -n py38 python=3.8`, or name one in {PYTHON_VARIABLE}",
        )
    return max(found, key=lambda python: python.version)


def _candidates() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for major, minor in WHEELS:
        # The interpreters themselves: pyenv's shims refuse versions that are not active.
        yield from sorted(pyenv.glob(f"versions/{major}.{minor}.*/bin/python{major}.{minor}"))
    conda = os.environ.get("CONDA_EXE")
    roots = [Path(conda).parents[1]] if conda else []
    roots += [Path.home() / name for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge")]
    for root in roots:
        yield from sorted(root.glob("envs/*/bin/python"))
        yield root / "bin" / "python"
    for major, minor in WHEELS:
        on_path = shutil.which(f"python{major}.{minor}")
        if on_path:
            yield Path(on_path)


def _version(python: Path) -> tuple[int, int] | None:
    """None where it does not run, or is not CPython."""
    code = "import platform, sys; print(platform.python_implementation(), *sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.fullmatch(r"CPython (\d+) (\d+)\s*", done.stdout)
    return (int(match[1]), int(match[2])) if match else None


def create_environment(named: Path | None = None) -> Path:
    """The environment's interpreter; the environment is made (minutes, 2 GB) where it is missing or out of date.

    It is marked complete at the very end, so that an interrupted installation starts anew.

    Raises:
        InputError: no Python fits, or the installation fails; with its last lines.
    """
    try:
        return worker_python()
    except InputError:
        python = find_python(named)
    folder = environment_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([python.path, "-m", "venv", "--clear", folder])
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run([*pip, "--only-binary=:all:", "--requirement", REQUIREMENTS])
    _run([folder / "bin" / "python", "-c", "import pyredner"])
    mark = folder / "requirements.partial"
    mark.write_text(REQUIREMENTS.read_text())
    os.replace(mark, _mark(folder))
    return worker_python()


def _mark(folder: Path) -> Path:
    return folder / "installed.txt"


def _installed(folder: Path) -> str:
    return _mark(folder).read_text() if _mark(folder).exists() else ""


def _run(command: list) -> None:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            env=clean,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError("Redner's environment cannot be created", where=command[0], found=error) from error
    if done.returncode != 0:
        last = "\n    ".join((done.stderr or done.stdout).splitlines()[-8:])
        raise InputError("Redner's environment cannot be created", where=command[0], found=last)

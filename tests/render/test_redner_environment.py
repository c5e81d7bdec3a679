"""Finding an old Python and judging the worker's environment; nothing is installed here."""

import sys
from pathlib import Path

import pytest

from handrefine.errors import InputError
from handrefine.render.redner import environment


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without any old Python."""
    for name in (environment.PYTHON_VARIABLE, environment.FOLDER_VARIABLE, "XDG_CACHE_HOME", "CONDA_EXE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


def _interpreter(path: Path, version: str, implementation: str = "CPython") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{implementation} {version}'\n")
    path.chmod(0o755)
    return path


def test_without_any_the_message_says_what_to_install(nowhere):
    with pytest.raises(InputError, match=r"pyenv install 3\.8"):
        environment.find_python()


def test_the_newest_that_fits_is_found_with_pyenv_conda_and_on_the_path(nowhere, monkeypatch):
    on_path = _interpreter(nowhere / "path" / "python3.6", "3 6")
    assert environment.find_python() == environment.OldPython(on_path, (3, 6))
    conda = _interpreter(nowhere / "conda" / "envs" / "old" / "bin" / "python", "3 7")
    _interpreter(nowhere / "conda" / "bin" / "python", "3 12")
    monkeypatch.setenv("CONDA_EXE", str(nowhere / "conda" / "bin" / "conda"))
    assert environment.find_python().path == conda
    _interpreter(nowhere / "pyenv" / "versions" / "3.8.1" / "bin" / "python3.8", "3 8", "PyPy")
    assert environment.find_python().path == conda
    pyenv = _interpreter(nowhere / "pyenv" / "versions" / "3.8.18" / "bin" / "python3.8", "3 8")
    assert environment.find_python().path == pyenv


def test_what_is_named_comes_first_and_must_fit(nowhere, monkeypatch):
    _interpreter(nowhere / "path" / "python3.8", "3 8")
    named = _interpreter(nowhere / "named", "3 7")
    assert environment.find_python(named).path == named
    monkeypatch.setenv(environment.PYTHON_VARIABLE, str(named))
    assert environment.find_python().path == named
    for wrong, found in ((Path(sys.executable), "3."), (nowhere / "missing", "nothing that runs")):
        with pytest.raises(InputError, match=r"3\.6 to 3\.8") as error:
            environment.find_python(wrong)
        assert found in error.value.found


def test_an_environment_counts_once_it_is_complete_and_of_these_pins(nowhere, monkeypatch):
    assert environment.environment_folder() == nowhere / ".cache" / "handrefine" / "redner" / "venv"
    monkeypatch.setenv("XDG_CACHE_HOME", str(nowhere / "cache"))
    assert environment.environment_folder() == nowhere / "cache" / "handrefine" / "redner" / "venv"
    folder = nowhere / "chosen"
    monkeypatch.setenv(environment.FOLDER_VARIABLE, str(folder))
    python = _interpreter(folder / "bin" / "python", "3 8")
    with pytest.raises(InputError, match="doctor --redner"):
        environment.worker_python()
    (folder / "installed.txt").write_text("redner==0.4.27\n")
    with pytest.raises(InputError, match="out of date"):
        environment.worker_python()
    (folder / "installed.txt").write_text(environment.REQUIREMENTS.read_text())
    assert environment.worker_python() == python


def test_an_installation_that_fails_says_why_and_leaves_nothing_complete(nowhere, monkeypatch):
    monkeypatch.setenv(environment.FOLDER_VARIABLE, str(nowhere / "chosen"))
    python = nowhere / "python3.8"
    _interpreter(python, "3 8")
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo "CPython 3 8" && exit 0\necho "no ensurepip" >&2\nexit 1\n'
    )
    with pytest.raises(InputError, match="no ensurepip"):
        environment.create_environment(python)
    with pytest.raises(InputError, match="missing"):
        environment.worker_python()

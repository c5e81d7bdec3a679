"""What is printed to can fail without the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handrefine.cli.console import PatientConsole

PRINTS = """
from handrefine.cli.console import PatientConsole, show_every_character
import sys
show_every_character()
console = PatientConsole()
for k in range(3):
    console.print("\\u624b, the hand", k)
sys.stdout.flush()
open(sys.argv[1], "w").write("done")
"""


def test_a_terminal_without_the_character_shows_its_code(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", PRINTS, tmp_path / "done"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[0] == "\\u624b, the hand 0"
    assert (tmp_path / "done").exists()


def test_a_pipe_that_nobody_reads_ends_no_work(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-c", PRINTS, tmp_path / "done"]
    ended = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "done").read_text() == "done"


def test_it_is_quiet_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "dup2", lambda *of: None)
    console = PatientConsole()
    console.on_broken_pipe()
    assert console.quiet

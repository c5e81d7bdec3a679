"""Runs with one output folder exclude each other, and what one of them left is not lost to the next."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handrefine.errors import InputError
from handrefine.runs import owner
from handrefine.runs.folder import RunFolder
from handrefine.runs.layout import MARKER

#: Another process that writes to the folder it is given, tells so, and waits to be killed.
WRITER = """
import sys, time
from pathlib import Path
from handrefine.runs.folder import RunFolder
folder = RunFolder.create(Path(sys.argv[1]))
if sys.argv[2] == "iterated":
    folder.append_log({"iteration": 0})
print("ready", flush=True)
time.sleep(60)
"""


def killed_run(target: Path, until: str = "iterated") -> int:
    """The process of a run that was killed while it ran."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, target, until], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    with pytest.raises(InputError, match=f"another run writes.*(\n.*)*process {writer.pid} on "):
        RunFolder.create(target, overwrite=True)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    return writer.pid


def test_a_second_process_is_refused_and_a_killed_one_leaves_its_work(tmp_path, caplog):
    target, partial = tmp_path / "run", tmp_path / ".run.partial"
    process = killed_run(target)
    with pytest.raises(InputError, match=rf"did not finish(.*\n)*.*process {process} on (.*\n)*.*--overwrite"):
        RunFolder.create(target)
    assert (partial / "log.jsonl").exists()
    with caplog.at_level(logging.WARNING), RunFolder.create(target, overwrite=True):
        assert not (partial / "log.jsonl").exists()
    assert f"process {process}" in caplog.text
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_that_was_killed_before_its_first_iteration_left_nothing_to_ask_about(tmp_path):
    killed_run(tmp_path / "run", "begun")
    with RunFolder.create(tmp_path / "run"):
        pass
    assert os.listdir(tmp_path) == ["run"]


def test_two_folders_of_one_process_exclude_each_other_until_the_first_is_closed(tmp_path):
    first = RunFolder.create(tmp_path / "run")
    with pytest.raises(InputError, match=f"process {os.getpid()} on"):
        RunFolder.create(tmp_path / "run")
    assert (first.partial / MARKER).exists()
    first.commit()
    with RunFolder.create(tmp_path / "run", overwrite=True) as second:
        second.append_log({})
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_that_fails_before_its_first_iteration_leaves_nothing(tmp_path):
    def refused() -> None:
        with RunFolder.create(tmp_path / "run") as folder:
            folder.write_yaml("config.yaml", {})
            raise InputError("made up")

    with pytest.raises(InputError, match="made up"):
        refused()
    assert os.listdir(tmp_path) == []


def test_another_host_is_believed_alive_as_long_as_it_writes(tmp_path, monkeypatch):
    target, partial = tmp_path / "run", tmp_path / ".run.partial"
    killed_run(target)
    mark = json.loads((partial / MARKER).read_text())
    mark["owner"]["host"] = "elsewhere"
    (partial / MARKER).write_text(json.dumps(mark))
    with pytest.raises(InputError, match=r"on elsewhere, begun (.*\n)*.*--take-over"):
        RunFolder.create(target, overwrite=True)
    content = (partial / MARKER).read_bytes()
    RunFolder.create(target, resume=True, take_over=True).close()
    assert f'"process": {os.getpid()}' in (partial / MARKER).read_text()
    (partial / MARKER).write_bytes(content)
    (partial / "log.jsonl").write_text("{}")
    later = time.time() + owner.SILENT_S + 1
    monkeypatch.setattr(owner.time, "time", lambda: later)
    with pytest.raises(InputError, match="did not finish"):
        RunFolder.create(target)
    with RunFolder.create(target, overwrite=True):
        pass
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("name", [".run.partial", ".run.replaced"])
def test_a_folder_of_that_name_that_no_run_wrote_stays(tmp_path, name):
    foreign = tmp_path / name / "mine.txt"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    with pytest.raises(InputError, match="did not write"):
        RunFolder.create(tmp_path / "run", overwrite=True)
    assert foreign.read_text() == "mine"
    assert os.listdir(tmp_path) == [name]

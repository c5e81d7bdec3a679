"""Committed results say how they were made, and nothing of the machine's folders."""

import json
import re
from argparse import Namespace
from pathlib import Path

import pytest
from benchmarks.harness import RESULTS, Metric, Outcome, finish


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_hold_no_path_of_a_machine(path: Path) -> None:
    assert not re.search(r"[\"' =]/(home|root|tmp|work|mnt|Users)/", path.read_text())


def test_a_command_is_told_without_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = tmp_path / "capture"
    monkeypatch.setattr("sys.argv", ["x", str(capture), "--config", "configs/real.yaml", "--together", "2"])
    outcome = Outcome([Metric("error", 1.0, "mm")], [], [1000])
    assert finish("made", outcome, Namespace(quick=False, gate=True, results=tmp_path)) == 0
    saved = json.loads((tmp_path / "made.json").read_text())
    assert saved["command"] == "python -m benchmarks.made capture --config configs/real.yaml --together 2"

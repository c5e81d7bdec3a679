"""Kills at random moments over whole runs, from their start to their last file: nothing is lost."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from handrefine.cli.exit_codes import NOT_BETTER
from lifecycle import annotation_difference, cpu_seconds, files_of, forked, tiny_video, write_config

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
#: Kills, and seconds of computation within which each comes; a whole run takes about six.
N_KILLS = int(os.environ.get("HANDREFINE_KILLS", "30"))
WITHIN_S = 7.0
SEED = int(os.environ.get("HANDREFINE_KILLS_SEED", "1000"))


def test_runs_killed_again_and_again_end_as_an_undisturbed_one(tmp_path: Path) -> None:
    """Each run is killed, and gone on with, until it ends; then another begins, until there were enough kills."""
    said = tmp_path / "said.txt"
    command = [
        "refine",
        "--data",
        tiny_video(tmp_path / "data"),
        "--config",
        write_config(tmp_path / "few.yaml", 6),
    ]
    command += ["--checkpoint-every-s", 0.1]
    whole = forked(said, *command, "--out", tmp_path / "whole")
    whole.join()
    status = whole.exitcode
    assert status in (0, NOT_BETTER), said.read_text()
    chance, n_kills, n_runs = random.Random(SEED), 0, 0
    while n_kills < N_KILLS:
        place = tmp_path / str(n_runs)
        place.mkdir()
        while not killed_or_done(place, command, said, chance.uniform(0, WITHIN_S), status):
            n_kills += 1
        assert annotation_difference(place / "run", tmp_path / "whole") < 1e-4
        assert files_of(place / "run") == files_of(tmp_path / "whole")
        assert [path.name for path in place.iterdir()] == ["run"]
        n_runs += 1
        print(f"{n_kills} kills, {n_runs} runs ended alike", flush=True)


def killed_or_done(place: Path, command: list[object], said: Path, after_s: float, status: int) -> bool:
    """Begin or go on, and kill after so much computation; True where the run has ended before that."""
    out, partial = place / "run", place / ".run.partial"
    begun = out.exists() or (partial / "task.json").exists()
    process = forked(said, *(("refine", "--resume", out) if begun else (*command, "--out", out)))
    while process.is_alive() and cpu_seconds(process) < after_s:
        time.sleep(0.002)
    process.kill()
    process.join()
    log = partial / "log.jsonl"
    iterations = len(log.read_text().splitlines()) if log.is_file() else 0
    kept = (partial / "checkpoint").is_dir()
    print(f"  {after_s:.2f} s: {process.exitcode}, {iterations} iterations, checkpoint {kept}", flush=True)
    assert process.exitcode in (status, -9, 0), said.read_text()
    return process.exitcode != -9

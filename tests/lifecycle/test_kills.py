"""Kills at random moments over a whole run, from its start to its last file: nothing is lost."""

import random
import signal
import time
from pathlib import Path

import pytest

from lifecycle import annotation_difference, ended, files_of, started, tiny_video, write_config

pytestmark = pytest.mark.slow
#: The pictures of a page are compared by the annotations; a report also tells the time.
N_KILLS = 30


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], Path, float]:
    """The command without its output, an undisturbed run, and the seconds that it took."""
    root = tmp_path_factory.mktemp("undisturbed")
    command = ["refine", "--data", tiny_video(root / "data"), "--config", write_config(root / "few.yaml", 6)]
    command += ["--checkpoint-every-s", 0.2]
    began = time.monotonic()
    status, said = ended(started(*command, "--out", root / "run"))
    assert status == 0, said
    return command, root / "run", time.monotonic() - began


@pytest.mark.parametrize("seed", range(N_KILLS))
def test_a_killed_run_goes_on_and_ends_alike(
    undisturbed: tuple[list[object], Path, float], tmp_path: Path, seed: int
) -> None:
    command, whole, seconds = undisturbed
    out = tmp_path / "run"
    process = started(*command, "--out", out)
    after_s = random.Random(seed).uniform(0, seconds)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    ended(process)
    had_begun = out.exists() or (tmp_path / ".run.partial" / "task.json").exists()
    kept = sorted(path.name for path in (tmp_path / ".run.partial" / "checkpoint").glob("*"))
    again = ("refine", "--resume", out) if had_begun else (*command, "--out", out)
    status, said = ended(started(*again))
    print(f"seed {seed}: killed after {after_s:.1f} of {seconds:.1f} s, kept {kept}; {said.splitlines()[:2]}")
    assert status == 0, said
    assert annotation_difference(out, whole) < 1e-4
    assert files_of(out) == files_of(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

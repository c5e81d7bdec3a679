"""What a command line shows by itself is told before PyTorch is loaded or anything is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from handrefine.cli import main, slips
from handrefine.cli.slips import refuse_slips
from handrefine.errors import InputError

SLIPS = {
    "dataset": (["refine", "--data", "nowhere", "--out", "new"], "the dataset's folder does not exist"),
    "hand": (["refine", "--data", "here", "--out", "new", "--hand=middle"], "right, left, both"),
    "taken": (["refine", "--data", "here", "--out", "taken"], "--overwrite"),
    "taken, no option to overwrite": (["synthesize", "--out", "taken"], "choose another name"),
    "model": (["fit", "--data", "here", "--out", "new", "--hand.model-file", "absent.pkl"], "MANO_RIGHT.pkl"),
    "model's folder": (["fit", "--data", "here", "--out", "new", "--hand.model-file", "here"], "MANO_RIGHT.pkl"),
    "CUDA": (["refine", "--data", "here", "--out", "new", "--render.variant", "cuda_ad_rgb"], "no NVIDIA driver"),
    "preset": (
        ["refine", "--data", "here", "--out", "new", "--config", "reel"],
        "quick, real, second_order, smvr",
    ),
    "run": (["report", "absent"], "the run folder does not exist"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("slip", list(SLIPS))
def test_a_slip_is_told(slip: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slips, "_nvidia_driver", lambda: False)
    (command, *options), message = SLIPS[slip]
    with pytest.raises(InputError, match=message):
        refuse_slips(command, options)
    assert sorted(path.name for path in here.iterdir()) == ["here", "taken"]


def test_what_is_right_passes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slips, "_nvidia_driver", lambda: True)
    data = ["--data", "here"]
    refuse_slips("refine", [*data, "--out", "new", "--render.variant", "cuda_ad_rgb"])
    (here / "MANO_LEFT.pkl").touch()
    refuse_slips("refine", [*data, "--out", "new", "--hand.model-file", ".", "--hand", "left"])
    refuse_slips("refine", ["--rerun", "here", "--out", "new", "--hand.model-file", "."])
    refuse_slips("refine", [*data, "--out", "new", "--config", "real", "--hand", "both"])
    refuse_slips("refine", [*data, "--out", "taken", "--overwrite"])
    refuse_slips("refine", [*data, "--out", "here"])  # an empty folder is as good as a new one
    refuse_slips("refine", ["--data", "nowhere", "--help"])
    refuse_slips("evaluate", ["taken", "--data", "here"])


def test_nothing_heavy_is_loaded_for_it(here: Path) -> None:
    code = """
import sys
from handrefine.cli.main import main
try:
    main(["refine", "--data", "nowhere", "--out", "new"])
except SystemExit as stop:
    assert stop.code == 2
print(sorted({"torch", "mitsuba", "drjit", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_address_of_a_library_is_told(here: Path) -> None:
    """What pydantic finds is told in its words, and without the address of its manual."""
    command = [sys.executable, "-m", "handrefine", "demo", "--out", "here", "--render.spp", "0"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "greater than 0" in done.stdout + done.stderr
    assert "https://" not in done.stdout + done.stderr


def test_the_first_word_comes_before_anything_heavy_is_loaded(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loading takes seconds; with a command that answers at once nothing is said."""
    monkeypatch.chdir(here)

    def nothing_yet(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(main, "import_module", nothing_yet)
    for command, first in (("demo", "loading PyTorch and Mitsuba"), ("configs", "")):
        with pytest.raises(KeyboardInterrupt):
            main.parse([command])
        assert first in capsys.readouterr().out.strip() or first == ""

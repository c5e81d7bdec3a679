"""The Python interface writes the run folder that the command line writes."""

import json
import logging
from pathlib import Path

import pytest
from rich.console import Console
from short_schedules import schedule

import handrefine as hr
from handrefine.cli.refine_command import run
from handrefine.cli.synthesize_command import synthesize
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.progress import SilentProgress
from handrefine.synthetic.truth import SyntheticSettings

CONFIG = {"texture": {"size": 16}, "schedule": schedule(environment=1, texture=1, joint=1)}
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=2, n_frames=1, size=32, texture_size=64)
    synthesize(folder, "right", settings, 10.0, Config(), console=QUIET)
    return folder


def warn(_: object) -> dict[str, float]:
    """A monitor with something to say in every iteration."""
    logging.getLogger("handrefine.made_up").warning("made up")
    return {}


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_python_and_the_command_line_write_the_same_files(data: Path, tmp_path: Path) -> None:
    config = config_from_mapping(CONFIG)
    sequence = hr.read_interhand26m(data)
    run(sequence, "right", config, tmp_path / "command", progress=SilentProgress(), monitor=warn)
    hr.save_run(hr.refine(sequence, "right", config, monitor=warn), tmp_path / "python")
    assert files_of(tmp_path / "python") == files_of(tmp_path / "command")
    assert {"report.html", "warnings.json", "metrics.json"} <= files_of(tmp_path / "python")
    for folder in ("command", "python"):
        warnings = json.loads((tmp_path / folder / "warnings.json").read_text())
        count = warnings["made up"]
        assert count >= 3
        assert f"made up <small>({count} times)</small>" in (tmp_path / folder / "report.html").read_text()

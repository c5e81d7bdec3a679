"""No command changes anything in a dataset that it reads."""

import hashlib
from pathlib import Path

import pytest
from short_schedules import schedule

from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.io.files import write_yaml
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import TRUTH_FILE, synthesize


def fingerprint(folder: Path) -> dict[str, tuple[int, str]]:
    """Of every file and folder: when it was changed, and what it holds."""
    return {
        path.relative_to(folder).as_posix(): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [folder, *folder.rglob("*")]
    }


def test_a_dataset_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    settings = SyntheticSettings(n_cameras=3, n_frames=1, size=56, texture_size=64)
    synthesize(data, ("right",), settings, 10.0, Config())
    config = tmp_path / "short.yaml"
    write_yaml(config, {"texture": {"size": 16}, "schedule": schedule(environment=1, texture=1, joint=1)})
    before = fingerprint(data)
    assert len(before) > 10
    for command in (
        ["refine", "--data", data, "--out", run, "--config", config, "--cameras", "00,02"],
        ["refine", "--data", data, "--out", run, "--config", config, "--holdout", "01", "--overwrite"],
        ["evaluate", run, "--truth", data / TRUTH_FILE],
        ["evaluate", run, "--data", data],
        ["report", run],
        *(["export", run, "--format", of, "--out", tmp_path / of] for of in ("glb", "npz", "interhand26m", "xml")),
    ):
        main([str(word) for word in command])
        assert fingerprint(data) == before, command
    assert (run / "report.html").exists()
    for command in (
        *(["export", run, "--format", of, "--out", data / of] for of in ("glb", "interhand26m")),
        ["turntable", run, "--out", data / "images" / "turntable"],
        ["fit", "--data", data, "--out", data / "fitted"],
        ["batch", data, "--out", data / "runs"],
    ):
        with pytest.raises(SystemExit):
            main([str(word) for word in command])
        assert "lie in one another" in capsys.readouterr().err, command
        assert fingerprint(data) == before, command

"""The README's example in Python runs as it stands, on a small video and with a short schedule."""

import re
from pathlib import Path

import pytest
from short_schedules import schedule

import handrefine as hr
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

README = Path(__file__).parents[1] / "README.md"
SHORT = {
    "losses": {"terms": ["data", "silhouette"]},
    "texture": {"size": 16},
    "render": {"spp": 1, "shading": "albedo"},
    "stages": schedule(texture=1, joint=1),
}


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    return code


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = SyntheticSettings(n_cameras=2, n_frames=1, size=32, texture_size=64)
    synthesize(tmp_path / "DATASET", ["right"], settings, 10.0, Config())
    code = example()
    for name in ("DATASET", "RUN", "BETTER"):
        assert f'Path("{name}")' in code
        code = code.replace(f'Path("{name}")', f"HERE / {name!r}")
    assert "hr.Config(seed=1)" in code
    code = code.replace("hr.Config(seed=1)", "SHORT")
    exec(compile(code, str(README), "exec"), {"HERE": tmp_path, "SHORT": config_from_mapping(SHORT)})

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("{'before': ")
    assert lines[1:] == ["(1, 21, 3)", "(1, 48)"]
    assert hr.open_run(tmp_path / "RUN").only_hand().layout.report.is_file()
    assert list((tmp_path / "BETTER").rglob("*MANO*.json"))

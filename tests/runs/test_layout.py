"""The names of a run folder: documented where users look, and found on disk."""

import re
from pathlib import Path

from handrefine.runs.layout import RunLayout
from handrefine.sequence import FrameId

CONVENTIONS = Path(__file__).parents[2] / "docs" / "conventions.md"


def test_every_name_is_documented_and_every_documented_name_exists() -> None:
    section = CONVENTIONS.read_text(encoding="utf-8").split("## The run folder")[1].split("\n### ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    in_table = {name for cell in first_cells for name in re.findall("`([^`]+)`", cell)}
    assert in_table - RunLayout.names() == set()
    assert [name for name in RunLayout.names() if f"`{name}`" not in section] == []
    assert len(RunLayout.names()) > 20


def test_a_place_is_a_path_below_the_root(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    assert layout.metrics == tmp_path / "metrics.json"
    assert layout.view(FrameId(7), "cam a", "label") == tmp_path / "views" / "frame7_camcam a_label.png"
    assert layout.hand("left").texture_of(FrameId(7)) == tmp_path / "left" / "textures" / "7.png"


def test_hands_are_found_where_a_run_has_several(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    assert list(layout.hands()) == []
    layout.hand("left").root.mkdir()
    layout.hand("left").annotation.touch()
    assert list(layout.hands()) == [("left", layout.hand("left"))]
    layout.annotation.touch()  # a hand's own folder; whatever else lies in it
    assert list(layout.hands()) == []

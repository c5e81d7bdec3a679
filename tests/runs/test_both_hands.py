"""A run of both hands: a report for each, and other commands say which hand's folder they want."""

import re
import shutil
from pathlib import Path

import pytest
from example_run import write_example_run
from rich.console import Console

from handrefine.cli.main import _parse
from handrefine.errors import InputError
from handrefine.report import write_report

PAGES = ["right/report.html", "left/report.html"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of both hands, as far as a reader of one hand's run could take it for one."""
    folder = tmp_path_factory.mktemp("both")
    write_example_run(folder / "right", frames=1, cameras=1, size=24, texture=16)
    shutil.copytree(folder / "right", folder / "left")
    shutil.copy(folder / "right" / "metrics.json", folder / "metrics.json")
    return folder


def test_both_hands_have_a_page_each_and_one_that_leads_to_them(both: Path) -> None:
    page = write_report(both)
    assert page == both / "report.html"
    text = page.read_text()
    assert 'section id="right"' in text
    assert 'section id="left"' in text
    assert [link for link in re.findall('href="([^"]*)"', text) if link.endswith(".html")] == PAGES
    assert text.count("-93.0&nbsp;%") == 2
    for name in PAGES:
        assert 'section id="views"' in (both / name).read_text()
    with pytest.raises(InputError, match="page for each"):
        write_report(both, both / "page.html")
    assert not (both / "page.html").exists()


def test_commands_for_one_hand_say_which_folder_to_give(both: Path, tmp_path: Path) -> None:
    for command in (
        ["view", str(both), "--no-browser"],
        ["export", str(both), "--format", "npz", "--out", str(tmp_path / "hand.npz")],
        ["turntable", str(both), "--out", str(tmp_path / "film")],
    ):
        with pytest.raises(InputError, match="both hands") as refused:
            _parse(command)(Console(quiet=True))
        assert f"give {both / 'right'} or {both / 'left'}" in str(refused.value)
    assert list(tmp_path.iterdir()) == []

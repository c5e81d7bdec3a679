"""A run of several hands: a report for each, and other commands say which hand's folder they want."""

import json
import re
from pathlib import Path

import pytest
from example_run import example_metrics, example_result
from made_run import write_result
from rich.console import Console

from handrefine.cli.main import parse
from handrefine.errors import InputError
from handrefine.evaluation.run_metrics import together
from handrefine.report import write_report
from handrefine.runs.judgement import Judgement

PAGES = ["right/report.html", "left/report.html"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both") / "run"
    result = example_result(("right", "left"), frames=1, cameras=1, size=24, texture=16)
    by_hand = {hand.side: example_metrics(hand, 12) for hand in result.hands}
    write_result(folder, result, Judgement(together(by_hand), by_hand))
    return folder


def test_every_hand_has_a_page_and_one_leads_to_them(both: Path) -> None:
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


def test_every_hand_has_the_folder_of_a_run_with_its_own_log(both: Path) -> None:
    shared = {".handrefine", "config.yaml", "log.jsonl", "metrics.json", "warnings.json", "right", "left"}
    assert {path.name for path in both.iterdir()} - {"report.html"} == shared
    for side, factor in (("right", 10), ("left", 11)):
        records = [json.loads(line) for line in (both / side / "log.jsonl").read_text().splitlines()]
        assert [record["vertex_error_mm"] / record["loss"] for record in records] == pytest.approx([factor] * 12)
        assert not any("hands" in record for record in records)
        assert (both / side / "config.yaml").read_text().count(f"- {side}") == 1


def test_commands_for_one_hand_say_which_folder_to_give(both: Path, tmp_path: Path) -> None:
    for command in (
        ["export", str(both), "--format", "npz", "--out", str(tmp_path / "hand.npz")],
        ["turntable", str(both), "--out", str(tmp_path / "film")],
    ):
        with pytest.raises(InputError, match="both hands") as refused:
            parse(command)(Console(quiet=True))
        assert f"give {both / 'right'} or {both / 'left'}" in str(refused.value)
    assert list(tmp_path.iterdir()) == []

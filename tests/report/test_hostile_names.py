"""Names that a dataset brings are text on the page, whatever stands in them."""

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from example_run import example_metrics, example_result
from made_run import write_result

from handrefine.config import Config
from handrefine.report import write_report
from handrefine.runs.judgement import Judgement
from handrefine.runs.result import RunResult

EVIL = """</script></title><script>alert(1)</script>"><img src=x onerror='alert(2)'>' onload="x" ${style} &lt;"""


class Elements(HTMLParser):
    """All elements and their attributes' names, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag, tuple(sorted(name for name, _ in attrs))] += 1

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def named(name: str) -> RunResult:
    """A result in which everything that has a name has this one."""
    result = example_result(cameras=2, iterations=4)
    cameras = {of.camera.name: f"{name}{k}" for k, of in enumerate(result.cameras)}
    hand = result.hands[0]
    views = [replace(view, camera=cameras[view.camera]) for view in hand.views]
    return replace(
        result,
        sequence_name=name,
        config=replace(Config(), hand=replace(Config().hand, model_file=Path(name))),
        hands=(replace(hand, views=tuple(views), hand_model=name, stage_textures={name: hand.textures[0]}),),
        cameras=tuple(
            replace(of, camera=replace(of.camera, name=cameras[of.camera.name]), reason=name)
            for of in result.cameras
        ),
        records=[{**record, "stage": name, "terms": {name: 1.0}, "ended": name} for record in result.records],
        warnings={name: 2},
        version=name,
        variant=name,
    )


def elements(folder: Path, name: str) -> Elements:
    result = named(name)
    metrics = example_metrics(result.hands[0], 4) | {"version": name, "variant": name, "against": [name]}
    metrics["joint_fit_residual_by_joint_mm"] = {name: 1.0}
    metrics["holdout"] = {name: {"before": 1.0, "after": 2.0}}
    write_result(folder, result, Judgement(metrics, {"right": metrics}))
    found = Elements()
    found.feed(write_report(folder).read_text(encoding="utf-8"))
    return found


@pytest.mark.usefixtures("runtime")
def test_the_page_has_the_same_elements_whatever_names_say(tmp_path: Path) -> None:
    harmless, evil = elements(tmp_path / "harmless", "harmless"), elements(tmp_path / "evil", EVIL)
    assert evil.elements == harmless.elements
    assert not any(name.startswith("on") for _, names in evil.elements for name in names)
    assert sum("alert(1)" in text for text in evil.text) >= 3


@pytest.mark.usefixtures("runtime")
def test_values_that_no_run_writes_cost_their_section_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*of: object) -> str:
        raise TypeError("made up")

    monkeypatch.setattr("handrefine.report.page.evidence", broken)
    result = example_result(cameras=2, iterations=4)
    metrics = example_metrics(result.hands[0], 4)
    write_result(tmp_path / "run", result, Judgement(metrics, {"right": metrics}))
    (tmp_path / "run" / "warnings.json").write_text(json.dumps({"told": EVIL}))
    metrics |= {
        "mask_recall": "much",
        "per_frame": {"mask_recall": {"before": "little", "after": []}},
        "seconds": [],
    }
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    configuration = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({**configuration, "cameras": 3}))
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    found = Elements()
    found.feed(page)
    assert not [of for of in found.elements if of[0] == "img" and "onerror" in of[1]]
    assert "warnings.json cannot be read" in page
    assert "Evidence of the joints cannot be shown" in page
    assert 'id="texture"' in page

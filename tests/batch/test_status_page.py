"""The page of a batch: a tile a task, nothing from elsewhere, and it says what is known."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from example_run import write_example_run
from tiny_interhand26m import write_dataset

from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.state import TaskState
from handrefine.batch.task_figures import task_figures
from handrefine.cli.main import main


class Tiles(HTMLParser):
    """The data of every tile, its link and its images."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[dict[str, str]] = []
        self.links: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "article":
            self.data.append({name.removeprefix("data-"): value for name, value in values.items()})
        elif tag == "a" and self.data:
            self.links.append(values["href"])
        elif tag == "img":
            self.images.append(values["src"])


@pytest.fixture
def folder(tmp_path: Path) -> BatchFolder:
    """Three tasks: one done, one failed with a reason that is no markup, one that waits."""
    data = write_dataset(tmp_path / "data")
    folder = prepare_batch(BatchSettings(data=data, hands=("right",), clip=1, overlap=0), tmp_path / "runs")
    done, failed, _ = folder.names()
    write_example_run(folder.run(done))
    (folder.run(done) / "report.html").write_text("a report")
    said = [
        {"frame": frame, "verdict": verdict, "confidence": 0.9, "better": 0.9, "beyond": 0.1}
        for frame, verdict in ((100, "improved"), (103, "beyond repair"))
    ]
    (folder.run(done) / "verdict.json").write_text(json.dumps({"frames": said}))
    folder.write_state(done, TaskState("done", started=10.0, ended=60.0, attempts=1, peak_memory_mb=1234.0))
    folder.write_state(failed, TaskState("failed", started=10.0, ended=12.0, reason="<b>broken</b>", attempts=3))
    return folder


def test_a_tile_a_task(folder: BatchFolder, capsys: pytest.CaptureFixture[str]) -> None:
    main(["batch", "status", str(folder.root)])
    told = capsys.readouterr().out
    assert "1 queued, 1 done, 1 failed" in told
    assert "at most 1.2 GB a task" in " ".join(told.split())
    page = folder.page.read_text(encoding="utf-8")
    tiles = Tiles()
    tiles.feed(page)
    assert [tile["state"] for tile in tiles.data] == ["done", "failed", "queued"]
    assert (tiles.data[0]["improved"], tiles.data[0]["beyond"], tiles.data[0]["seconds"]) == ("1", "1", "50.0")
    assert len(tiles.images) == 2
    assert all(source.startswith("data:image/webp;base64,") for source in tiles.images)
    assert [folder.root / link for link in tiles.links] == [folder.run(folder.names()[0]) / "report.html"]
    assert "&lt;b&gt;broken" in page
    assert "<b>broken" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "default-src 'none'" in page


def test_a_run_that_cannot_be_read_costs_its_pictures_only(folder: BatchFolder) -> None:
    (folder.run(folder.names()[0]) / "metrics.json").write_text("{")
    main(["batch", "status", str(folder.root)])
    tiles = Tiles()
    tiles.feed(folder.page.read_text(encoding="utf-8"))
    assert (len(tiles.data), tiles.images) == (3, [])


def test_what_a_run_says_is_found_once(folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of thousands is looked at often; a run that has changed since is read again."""
    name = folder.names()[0]
    first = task_figures(folder, name)
    assert first is not None
    assert first.verdicts == {"improved": 1, "beyond repair": 1}
    with monkeypatch.context() as patched:
        patched.setattr("handrefine.batch.task_figures.open_run", lambda path: 1 / 0)
        assert task_figures(folder, name) == first
    kept = folder.figures(name)
    kept.write_text(kept.read_text().replace("data:image", '\\"><script>'))  # no picture any more
    assert task_figures(folder, name) == first
    (folder.run(name) / "verdict.json").write_text('{"frames": []}')
    (folder.run(name) / "metrics.json").write_text((folder.run(name) / "metrics.json").read_text() + "\n")
    again = task_figures(folder, name)
    assert again is not None
    assert again.verdicts == {}

"""A run that is under way is followed: by its log, by its latest views, and in the end by its report."""

import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.pipeline import run_task
from handrefine.progress import SilentProgress
from handrefine.refinement.live_views import LiveView
from handrefine.report.live import live_page, live_server, running
from handrefine.runs.layout import RunLayout
from handrefine.runs.live import write_live_views
from handrefine.runs.unfinished import partial_of
from handrefine.sequence import FrameId
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize
from handrefine.task import Task


def page_of(server) -> tuple[str, str | None]:
    """What a browser is sent, and when it is to ask again."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}", timeout=30) as answer:
        return answer.read().decode(), answer.headers["Refresh"]


def test_what_has_been_written_so_far_is_shown(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    assert "being read" in live_page(layout, "run")
    line = '{"iteration": 0, "stage": "coarse", "loss": 0.5, "terms": {"data": 0.5}, "seconds": 2.0}'
    layout.log.write_text(f"{line}\n{line[:30]}")  # the last line is being written
    write_live_views(layout, [LiveView("a", FrameId(3), np.zeros((8, 8, 3)), np.ones((8, 8, 3)), np.eye(8))])
    page = live_page(layout, "a<b")
    for piece in ("stage coarse", "1 iterations", "data:image/png", "a&lt;b", "frame3_cama"):
        assert piece in page
    write_live_views(layout, [LiveView("b", FrameId(4), np.zeros((8, 8, 3)), np.ones((8, 8, 3)), np.eye(8))])
    assert [path.name for path in layout.live.iterdir()] == ["frame4_camb.png"]


@pytest.mark.parametrize(
    "value", ["1e308", "-1e308", "1" + 399 * "0", "1e-320", "NaN", "[]", 9000 * "[" + 9000 * "]"]
)
@pytest.mark.parametrize("name", ["loss", "seconds"])
def test_values_that_no_run_writes_end_no_page(tmp_path: Path, name: str, value: str) -> None:
    """Found by the fuzzer."""
    layout = RunLayout(tmp_path)
    layout.log.write_text(
        "\n".join(f'{{"stage": "coarse", "loss": {loss}, "{name}": {value}}}' for loss in (9, 1))
    )
    assert "Loss" in live_page(layout, "run") or value.startswith("[[")


@pytest.mark.usefixtures("runtime")
def test_a_run_is_followed_to_its_report(tmp_path: Path) -> None:
    """The server is asked from within the run, at its last iteration, and again when it has ended."""
    synthesize(tmp_path / "data", ["right"], SyntheticSettings(n_cameras=2, n_frames=1, size=24), 5.0, Config())
    out = tmp_path / "run"
    assert running(out) is None
    server = live_server(out, host="127.0.0.1", port=18080)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen: list[tuple[str, str | None]] = []

    class Asks(SilentProgress):
        def update(self, record) -> None:
            seen.append(page_of(server))

    short = {"texture": {"size": 16}, "render": {"spp": 1}, "stages": schedule(texture=1, joint=2)}
    try:
        assert "none has finished" in page_of(server)[0]
        run_task(Task(data=tmp_path / "data", out=out, config=config_from_mapping(short)), progress=Asks())
        assert "stage joint" in seen[-1][0]
        assert "data:image/png" in seen[-1][0]
        assert seen[-1][1] == "3"
        assert page_of(server) == (RunLayout(out).report.read_text(encoding="utf-8"), None)
    finally:
        server.shutdown()
        server.server_close()
    assert not partial_of(out).exists()
    assert not RunLayout(out).live.exists()

"""The report's verdicts by frame: only columns in which something stands."""

import pytest

from handrefine.report.contents import RunContents
from handrefine.report.verdicts import frame_verdicts

MISFIT = {"misfit": {"before": 0.36, "after": 0.009}, "n_views": 4, "n_held_out": 0, "moved_mm": 10.1}
HELD_OUT = {**MISFIT, "misfit_held_out": {"before": 0.3, "after": 0.02}, "n_held_out": 2}


@pytest.mark.parametrize(("evidence", "held_out"), [([MISFIT, MISFIT], False), ([MISFIT, HELD_OUT], True)])
def test_columns_without_any_figure_are_left_out(evidence: list[dict], held_out: bool) -> None:
    verdicts = {k: {"verdict": "improved", "confidence": 1.0, "evidence": of} for k, of in enumerate(evidence)}
    contents = object.__new__(RunContents)  # nothing else of it is read
    object.__setattr__(contents, "verdicts", verdicts)
    page = frame_verdicts(contents)
    assert "36.0 \u2192 0.9" in page
    assert ("misfit held out" in page) is held_out
    assert ("4 + 2" in page) is held_out
    assert "colour, %" not in page
    assert "jump" not in page.split("<table")[1]

"""The figures of a run, before and after, for people."""

import math
from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from handrefine.evaluation.measures import HOLDOUT_MEASURES, MEASURES, Measure

Metrics = Mapping[str, object]


def before_after_table(metrics: Metrics, title: str | None = None) -> Table:
    """A row for every measure that is known before or after, with the change in green where it is for the better.

    Args:
        metrics: the contents of `metrics.json`; keys that are not `{"before", "after"}` of a known measure
            (seconds, seed, version ...) are left out.
    """
    table = Table(title=title)
    table.add_column("measure")
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right")
    for key, measure in MEASURES.items():
        value = metrics.get(key)
        if isinstance(value, Mapping):
            before, after = _number(value.get("before")), _number(value.get("after"))
            if before is None and after is None:
                continue
            table.add_row(
                measure.name, _text(before, measure), _text(after, measure), _change(before, after, measure)
            )
    return table


def holdout_table(report: Metrics) -> Table:
    """A row for every held-out camera and one for their means: each figure before and after that is known of some.

    Args:
        report: the contents of `holdout.json`.
    """
    cameras, mean = report.get("cameras"), report.get("mean")
    listed = [(str(row["camera"]), row) for row in cameras] if isinstance(cameras, list) else []
    rows = [(name, row) for name, row in [*listed, ("mean", mean)] if isinstance(row, Mapping)]
    measures = {k: m for k, m in HOLDOUT_MEASURES.items() if any(_known(row.get(k)) for _, row in rows)}
    title = "held-out cameras, before \u2192 after"
    table = Table(title=title, min_width=len(title))
    table.add_column("camera")
    for measure in measures.values():
        table.add_column(measure.name, justify="right")
    for name, row in rows:
        table.add_row(escape(name), *(_before_after(row.get(key), m) for key, m in measures.items()))
    return table


def _known(value: object) -> bool:
    """Whether there is a figure at all: without masks most measures of held-out cameras have none."""
    return isinstance(value, Mapping) and any(_number(of) is not None for of in value.values())


def _before_after(value: object, measure: Measure) -> str:
    before, after = (
        (_number(value.get(moment)) for moment in ("before", "after"))
        if isinstance(value, Mapping)
        else (None, None)
    )
    if before is None or after is None:
        return _text(None, measure)
    return f"{before * measure.scale:.{measure.digits}f} \u2192 {_text(after, measure)}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _text(value: float | None, measure: Measure) -> str:
    if value is None:
        return f"[dim]{measure.missing}[/]"
    return f"{value * measure.scale:.{measure.digits}f} {measure.unit}"


def _change(before: float | None, after: float | None, measure: Measure) -> str:
    if before is None or after is None:
        return ""
    if measure.change == "relative":
        if before == 0:
            return ""
        text = f"{100 * (after - before) / before:+.1f} %"
    else:
        unit = "points" if measure.unit == "%" else measure.unit
        text = f"{(after - before) * measure.scale:+.{measure.digits}f} {unit}"
    if after == before:
        return text
    improved = (after < before) == (measure.better == "lower")
    return f"[{'green' if improved else 'red'}]{text}[/]"

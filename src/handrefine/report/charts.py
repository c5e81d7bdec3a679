"""Curves over iterations: lines are SVG that stretches with the page, the words around them HTML."""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from handrefine.progress import Record

#: A curve and its values, one an iteration; NaN where there is none.
Curves = Mapping[str, Sequence[float]]
#: Colours of curves in report.css.
COLOURS = 16
#: Beyond this, and below its inverse, no run writes a number.
_MOST = 1e30


def loss_charts(records: Sequence[Record]) -> str:
    """The loss with its terms, and the errors where the truth was known, over the iterations."""
    if not records:
        return ""
    terms = [term if isinstance(term := record.get("terms"), Mapping) else {} for record in records]
    names = dict.fromkeys(name for term in terms for name in term)
    losses = {
        "loss": [_number(record.get("loss")) for record in records],
        **{name: [_number(term.get(name)) for term in terms] for name in names},
    }
    keys = dict.fromkeys(key for record in records for key in record if key.endswith("_mm"))
    errors = {key.removesuffix("_mm"): [_number(record.get(key)) for record in records] for key in keys}
    charts = chart("Loss and its weighted terms", losses, records)
    if any(map(math.isfinite, (value for values in errors.values() for value in values))):
        charts += chart("Error against the truth, mm", errors, records)
    return charts


def chart(title: str, curves: Curves, records: Sequence[Record]) -> str:
    """One plot: stages as bands with numbers, named below; moving over it reads the values."""
    scale = _Scale(curves)
    count = len(records)
    stages = _stages(records)
    bands = "".join(
        f'<rect class="band{k % 2}" x="{100 * start / count:.3f}" y="0" '
        f'width="{100 * (end - start) / count:.3f}" height="100"/>'
        for k, (_, start, end) in enumerate(stages)
    )
    grid = "".join(f'<line class="grid" x1="0" x2="100" y1="{y:.2f}" y2="{y:.2f}"/>' for _, y in scale.ticks)
    lines = "".join(
        f'<path class="curve c{k % COLOURS}" d="{_path(values, scale, count)}"/>'
        for k, values in enumerate(curves.values())
    )
    labels = "".join(f'<span style="top:{y:.2f}%">{label}</span>' for label, y in scale.ticks)
    numbers = "".join(
        f'<span style="left:{50 * (start + end) / count:.2f}%">{k + 1}</span>'
        for k, (_, start, end) in enumerate(stages)
    )
    legend = "".join(
        f'<li class="c{k % COLOURS}">{escape(name.replace("_", " "))}</li>' for k, name in enumerate(curves)
    )
    named = " · ".join(
        f"<b>{k + 1}</b> {escape(name)} ({end - start} it.)" for k, (name, start, end) in enumerate(stages)
    )
    data = {
        "stages": [str(record.get("stage", "")) for record in records],
        "curves": {name: [_short(value) for value in values] for name, values in curves.items()},
    }
    encoded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    log_scale = " (logarithmic)" if scale.log else ""
    return (
        f'<figure class="chart" data-chart><figcaption>{escape(title)}{log_scale}</figcaption>'
        f'<ul class="legend">{legend}</ul>'
        f'<div class="plot"><div class="ylabels" aria-hidden="true">{labels}</div><div class="area">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(_described(curves), quote=True)}">{bands}{grid}{lines}</svg>'
        f'<i class="cursor"></i></div><div class="xlabels" aria-hidden="true">{numbers}</div></div>'
        f'<p class="readout small">Stages: {named}</p>'
        f'<script type="application/json">{encoded}</script></figure>'
    )


class _Scale:
    """From values to per cent of the plot's height, downwards; logarithmic where the main curve falls far."""

    def __init__(self, curves: Curves) -> None:
        main = [v for v in next(iter(curves.values())) if math.isfinite(v)]
        shown = [v for values in curves.values() for v in values if math.isfinite(v)]
        self.log = bool(main) and 0 < min(main) < max(main) / 3
        if self.log:
            # A term that is all but zero must not press the others together.
            self.low = math.log10(max(min(v for v in shown if v > 0), min(main) / 300)) - 0.08
            self.high = math.log10(max(shown)) + 0.05
        else:
            self.low, self.high = min([0.0, *shown]), max(shown, default=1.0) * 1.05
        if self.high <= self.low:
            self.high = self.low + 1
        self.ticks = [(label, self(value)) for label, value in self._tick_values()]

    def __call__(self, value: float) -> float:
        if self.log and value <= 0:
            return math.nan
        place = math.log10(value) if self.log else value
        return 100 * (self.high - place) / (self.high - self.low)

    def _tick_values(self) -> list[tuple[str, float]]:
        if self.log:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            steps = (1,) if self.high - self.low > 2.5 else (1, 2, 5)
            values = [step * 10.0**decade for decade in decades for step in steps]
            return [(f"{v:g}", v) for v in values if self.low <= math.log10(v) <= self.high]
        rough = (self.high - self.low) / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
        first = math.ceil(self.low / step)
        return [(f"{k * step:g}", k * step) for k in range(first, math.floor(self.high / step) + 1)]


def _path(values: Sequence[float], scale: _Scale, count: int) -> str:
    """Iteration k stands at the middle of the k-th of `count` equal parts; gaps interrupt the line."""
    parts, drawing = [], False
    for k, value in enumerate(values):
        y = scale(value) if math.isfinite(value) else math.nan
        if not math.isfinite(y) or y > 130:
            drawing = False
            continue
        parts.append(f"{'L' if drawing else 'M'}{100 * (k + 0.5) / count:.2f} {y:.2f}")
        drawing = True
    # A lone point is drawn by its round line cap.
    return "".join(parts) + ("h0" if parts else "")


def _stages(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    names = [str(record.get("stage", "")) for record in records]
    starts = [k for k in range(len(names)) if k == 0 or names[k] != names[k - 1]]
    return [(names[start], start, end) for start, end in pairwise([*starts, len(names)])]


def _described(curves: Curves) -> str:
    ends = []
    for name, values in curves.items():
        finite = [v for v in values if math.isfinite(v)]
        if finite:
            ends.append(f"{name.replace('_', ' ')} from {finite[0]:.3g} to {finite[-1]:.3g}")
    return "; ".join(ends)


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not -_MOST < value < _MOST:
        return math.nan
    return float(value) if abs(value) > 1 / _MOST else 0.0


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None

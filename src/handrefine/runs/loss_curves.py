"""The course of an optimisation in one image."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from handrefine.io.files import whole_file
from handrefine.progress import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ("#f3f4f6", "#e3e7ee")


def loss_curves(records: Sequence[Record], path: Path) -> None:
    """Plot the loss and its terms over the iterations, stages shaded and named, to a PNG.

    Errors in millimetres get a panel of their own where records hold any. The axis of the loss is logarithmic
    where it falls to less than a third. Values that are missing or not finite leave gaps.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    losses = {"loss": [_number(record.get("loss")) for record in records], **_terms(records)}
    errors = _errors(records)
    panels = [(losses, "loss"), *([(errors, "error [mm]")] if errors else [])]
    figure = Figure(figsize=(8, 1 + 3 * len(panels)), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (curves, label) in zip(axes, panels, strict=True):
        _shade_stages(axis, records, named=axis is axes[0])
        _plot(axis, curves, label)
    axes[-1].set_xlabel("iteration")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png")


def _plot(axis: "Axes", curves: Mapping[str, Sequence[float]], label: str) -> None:
    for name, values in curves.items():
        (line,) = axis.plot(values, label=name.replace("_", " "), linewidth=1.3)
        if name == "loss":
            line.set(color="black", linewidth=2)
        if len(values) == 1:
            line.set_marker("o")
    main = [v for v in next(iter(curves.values())) if math.isfinite(v)]
    shown = [v for values in curves.values() for v in values if math.isfinite(v)]
    if label == "loss" and main and 0 < min(main) < max(main) / 3:
        axis.set_yscale("log", nonpositive="mask")
        # A term that is all but zero must not press the others together.
        axis.set_ylim(bottom=max(min(v for v in shown if v > 0), min(main) / 1000) / 1.5)
    elif shown and min(shown) >= 0:
        axis.set_ylim(bottom=0)
    axis.set_ylabel(label)
    axis.grid(color="white")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _shade_stages(axis: "Axes", records: Sequence[Record], *, named: bool) -> None:
    stages = [str(record.get("stage", "")) for record in records]
    starts = [k for k in range(len(stages)) if k == 0 or stages[k] != stages[k - 1]]
    for k, (start, end) in enumerate(pairwise([*starts, len(stages)])):
        axis.axvspan(start - 0.5, end - 0.5, color=SHADES[k % 2], linewidth=0, zorder=0)
        if named:
            # Neighbours stand at two heights, so that names of short stages do not run into one another.
            place = (start - 0.5, 1.02 + 0.06 * (k % 2))
            axis.text(*place, stages[start], transform=axis.get_xaxis_transform(), va="bottom")
    axis.set_xlim(-0.5, max(len(stages), 1) - 0.5)
    axis.set_axisbelow(True)


def _terms(records: Sequence[Record]) -> dict[str, list[float]]:
    terms = [term if isinstance(term := record.get("terms"), Mapping) else {} for record in records]
    names = dict.fromkeys(name for term in terms for name in term)
    return {name: [_number(term.get(name)) for term in terms] for name in names}


def _errors(records: Sequence[Record]) -> dict[str, list[float]]:
    names = dict.fromkeys(key for record in records for key in record if key.endswith("_mm"))
    curves = {name.removesuffix("_mm"): [_number(record.get(name)) for record in records] for name in names}
    return {name: values for name, values in curves.items() if any(map(math.isfinite, values))}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan

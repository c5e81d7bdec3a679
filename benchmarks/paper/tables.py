"""The experiments as Markdown tables."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.paper import published
from benchmarks.paper.runs import ABLATIONS, Experiment
from benchmarks.paper.store import Sample
from benchmarks.paper.summary import (
    Figure,
    Spread,
    comparable_in_time,
    distinct,
    loss_without,
    matching,
    paired,
    reprojection_px,
    seconds_until,
    spread,
    texture_psnr_db,
    vertex_error_mm,
)

#: Vertex errors whose time is told.
LIMITS_MM = (3.0, 1.0, 0.5, 0.25)


def table(experiment: Experiment, samples: Sequence[Sample]) -> str:
    """Means ± standard deviations over videos."""
    return {"fig4": _fig4, "table1": _table1, "texture": _texture}[experiment](samples)


def _fig4(samples: Sequence[Sample]) -> str:
    counts = distinct(samples, "cameras")
    rows = []
    for kind in distinct(samples, "kind"):
        for method in distinct(samples, "method"):
            of_method = matching(samples, kind=kind, method=method)
            cells = [matching(of_method, cameras=count) for count in counts]
            errors = [_cell(spread(cell, vertex_error_mm)) for cell in cells]
            pixels = [_cell(spread(cell, reprojection_px)) for cell in cells]
            rows += [[kind, method, "vertex, mm", *errors], [kind, method, "reprojection, px", *pixels]]
        gains = [_gain(matching(samples, kind=kind, cameras=count)) for count in counts]
        rows.append([kind, "smvr - dmvr", "vertex, mm ± standard error", *gains])
    errors = _markdown(["video", "method", "error", *(f"{count} cameras" for count in counts)], rows)
    return f"{errors}\n\n{_time(samples)}"


def _gain(samples: Sequence[Sample]) -> str:
    """By how much DMVR is better on the same videos."""
    return _difference(paired(matching(samples, method="smvr"), matching(samples, method="dmvr"), vertex_error_mm))


def _difference(figure: Spread | None) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:+.3f}" + (f" ± {figure.standard_error:.3f}" if len(figure.values) > 1 else "")


def _time(samples: Sequence[Sample]) -> str:
    comparable = comparable_in_time(samples)
    rows = []
    for kind in distinct(samples, "kind"):
        for method in distinct(samples, "method"):
            of_method = matching(comparable, kind=kind, method=method)
            if of_method:
                reached = [_reached(of_method, seconds_until(limit_mm)) for limit_mm in LIMITS_MM]
                whole = median(sample["seconds"] for sample in of_method)
                rows.append([kind, method, *reached, f"{whole:.0f} s"])
    head = ["video", "method", *(f"{limit_mm:g} mm" for limit_mm in LIMITS_MM), "whole run"]
    told = (
        f"Time until the vertex error stays below a limit, {comparable[0]['cameras']} cameras, "
        f"{comparable[0]['machine']}, median; in brackets how many videos get there:"
    )
    return f"{told}\n\n{_markdown(head, rows)}"


def _reached(samples: Sequence[Sample], figure: Figure) -> str:
    seconds = spread(samples, figure)
    return "" if seconds is None else f"{median(seconds.values):.0f} s ({len(seconds.values)} of {len(samples)})"


def _table1(samples: Sequence[Sample]) -> str:
    rows = []
    for kind in distinct(samples, "kind"):
        of_kind = matching(samples, kind=kind)
        for row in ABLATIONS:
            part = matching(of_kind, ablation=row)
            loss = None if row == "all" else loss_without(of_kind, row)
            error, texture = _cell(spread(part, vertex_error_mm)), _cell(spread(part, texture_psnr_db), ".1f")
            paper = f"{published.ABLATION_MM[row]:.3f}" if row in published.ABLATION_MM else ""
            rows.append([kind, row, error, _difference(loss), texture, paper])
    head = ["video", "method", "vertex error, mm", "minus all, mm ± standard error", "texture, dB", "paper, mm"]
    return _markdown(head, rows)


def _texture(samples: Sequence[Sample]) -> str:
    rows = []
    for kind in distinct(samples, "kind"):
        dmvr, smvr = (matching(samples, kind=kind, method=method) for method in ("dmvr", "smvr"))
        ratio = paired(dmvr, smvr, texture_psnr_db, lambda ours, theirs: ours / theirs)
        decibels = [_cell(spread(part, texture_psnr_db), ".1f") for part in (dmvr, smvr)]
        rows.append([kind, *decibels, _cell(ratio, ".2f")])
    smvr_db, ratio = published.SMVR_TEXTURE_DB, published.TEXTURE_RATIO
    rows.append(["paper's own", f"{smvr_db * ratio:.1f}", f"{smvr_db:.0f}", f"{ratio:.3f}"])
    return _markdown(["video", "DMVR, dB", "SMVR, dB", "r"], rows)


def _cell(figure: Spread | None, spec: str = ".3f") -> str:
    return "" if figure is None else format(figure, spec)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

"""The experiments as pictures, the paper's numbers beside ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.paper import published
from benchmarks.paper.runs import ABLATIONS, Experiment
from benchmarks.paper.store import Sample
from benchmarks.paper.summary import (
    Figure,
    comparable_in_time,
    distinct,
    loss_without,
    matching,
    reprojection_px,
    spread,
    texture_psnr_db,
    vertex_error_mm,
)
from handrefine.io.files import whole_file

PUBLISHED = {"color": "0.5", "linestyle": ":", "zorder": 0}


def plot(experiment: Experiment, samples: Sequence[Sample], path: Path) -> None:
    """Draw all samples of an experiment into a PNG."""
    from matplotlib.figure import Figure as Canvas

    kinds = distinct(samples, "kind")
    rows = {"fig4": 3, "table1": 2, "texture": 1}[experiment]
    canvas = Canvas(figsize=(4.2 * len(kinds), 3.2 * rows), layout="constrained")
    axes = canvas.subplots(rows, len(kinds), squeeze=False)
    for column, kind in enumerate(kinds):
        of_kind = matching(samples, kind=kind)
        axes[0][column].set_title(kind)
        if experiment == "fig4":
            _against_cameras(axes[0][column], of_kind, vertex_error_mm, "mean vertex error [mm]")
            axes[0][column].plot(16, published.DMVR_AT_16_CAMERAS_MM, "kx", label="paper's DMVR, own data")
            axes[0][column].legend(fontsize=8)
            _against_cameras(axes[1][column], of_kind, reprojection_px, "reprojection error [px]")
            _against_time(axes[2][column], matching(comparable_in_time(samples), kind=kind))
        elif experiment == "table1":
            _ablation(axes[0][column], of_kind)
            _losses(axes[1][column], of_kind)
        else:
            _textures(axes[0][column], of_kind)
    with whole_file(path) as temporary:
        canvas.savefig(temporary, dpi=130)


def _against_cameras(axis: Any, samples: Sequence[Sample], figure: Figure, label: str) -> None:
    for method in distinct(samples, "method"):
        of_method = matching(samples, method=method)
        counts = distinct(of_method, "cameras")
        spreads = [s for c in counts if (s := spread(matching(of_method, cameras=c), figure))]
        deviations = [s.std if len(s.values) > 1 else 0 for s in spreads]
        axis.errorbar(counts, [s.mean for s in spreads], deviations, marker="o", capsize=3, label=method)
    axis.set(xscale="log", xlabel="cameras", ylabel=label)
    axis.set_ylim(bottom=0)
    ticks = sorted({*distinct(samples, "cameras"), 16})
    axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axis.minorticks_off()


def _against_time(axis: Any, samples: Sequence[Sample]) -> None:
    """Every video's error while it is refined; the samples are comparable in time."""
    for place, method in enumerate(distinct(samples, "method")):
        for video, of_video in enumerate(matching(samples, method=method)):
            seconds, errors_mm = zip(*of_video["curve"], strict=True)
            axis.plot(seconds, errors_mm, f"C{place}", linewidth=1, label=None if video else method)
    if samples:
        axis.set(xlabel=f"seconds of refinement, {samples[0]['machine']}", yscale="log")
        axis.set_ylabel(f"mean vertex error [mm], {samples[0]['cameras']} cameras")
        axis.legend(fontsize=8)


def _ablation(axis: Any, samples: Sequence[Sample]) -> None:
    rows = [row for row in ABLATIONS if matching(samples, ablation=row)]
    for place, row in enumerate(rows):
        ours = spread(matching(samples, ablation=row), vertex_error_mm)
        if ours is not None:
            error = ours.standard_error if len(ours.values) > 1 else 0
            axis.bar(
                place - 0.2, ours.mean, 0.4, yerr=error, color="C0", capsize=3, label="ours" if not place else None
            )
        if row in published.ABLATION_MM:
            paper_mm = published.ABLATION_MM[row]
            axis.bar(place + 0.2, paper_mm, 0.4, color="0.7", label="paper" if not place else None)
    _name_rows(axis, rows)
    axis.set_ylabel("mean vertex error [mm]")
    axis.legend(fontsize=8)


def _losses(axis: Any, samples: Sequence[Sample]) -> None:
    """What is lost without a part, on every video, and the mean with its standard error."""
    losses = {row: loss for row in list(ABLATIONS)[1:] if (loss := loss_without(samples, row))}
    for place, loss in enumerate(losses.values()):
        axis.plot([place + 0.15] * len(loss.values), loss.values, ".", color="C0", alpha=0.5)
        error = loss.standard_error if len(loss.values) > 1 else 0
        axis.errorbar(place - 0.15, loss.mean, error, marker="o", color="C0", capsize=3)
    axis.axhline(0, **PUBLISHED)
    _name_rows(axis, list(losses))
    axis.set_ylabel("vertex error minus that of all [mm]")


def _name_rows(axis: Any, rows: Sequence[str]) -> None:
    axis.set_xticks(range(len(rows)), [row.replace(" ", "\n") for row in rows], fontsize=8)
    axis.set_xlim(-0.6, len(rows) - 0.4)


def _textures(axis: Any, samples: Sequence[Sample]) -> None:
    methods = distinct(samples, "method")
    for place, method in enumerate(methods):
        values = [v for s in matching(samples, method=method) if (v := texture_psnr_db(s)) is not None]
        axis.plot([place] * len(values), values, "o", color=f"C{place}")
    axis.axhline(published.SMVR_TEXTURE_DB, **PUBLISHED, label="paper's SMVR and DMVR, own data")
    axis.axhline(published.SMVR_TEXTURE_DB * published.TEXTURE_RATIO, **PUBLISHED)
    axis.set_xticks(range(len(methods)), methods)
    axis.set_xlim(-0.6, len(methods) - 0.4)
    axis.set_ylabel("texture PSNR [dB]")
    axis.legend(fontsize=8)

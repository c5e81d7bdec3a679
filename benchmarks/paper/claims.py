"""What an experiment has to show: figures with the targets that this project set itself."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from benchmarks.harness import Metric
from benchmarks.paper.runs import ABLATIONS, Experiment
from benchmarks.paper.store import Sample
from benchmarks.paper.summary import (
    Spread,
    distinct,
    loss_without,
    matching,
    paired,
    reprojection_px,
    spread,
    texture_psnr_db,
    vertex_error_mm,
)

#: Largest mean vertex errors in mm by kind of video and number of cameras, for DMVR at full scale.
ERROR_TARGETS_MM = {("matched", 16): 0.3, ("matched", 8): 0.4, ("matched", 4): 0.6, ("matched", 2): 1.5} | {
    ("mismatched", 16): 0.8
}
TEXTURE_TARGET_DB, RATIO_TARGET = 33.0, 1.04


def claims(experiment: Experiment, samples: Sequence[Sample], *, with_targets: bool) -> list[Metric]:
    """The experiment's figures; a small version has no targets for absolute numbers."""
    make = {"fig4": _fig4, "table1": _table1, "texture": _texture}[experiment]
    return [
        metric if with_targets else replace(metric, target=None)
        for kind in distinct(samples, "kind")
        for metric in make(kind, matching(samples, kind=kind))
    ]


def _fig4(kind: str, samples: list[Sample]) -> Iterator[Metric]:
    for cameras in distinct(samples, "cameras"):
        of_count = matching(samples, cameras=cameras)
        for method in distinct(of_count, "method"):
            of_method, key = matching(of_count, method=method), f"{kind}.{method}.{cameras}_cameras"
            target = ERROR_TARGETS_MM.get((kind, cameras)) if method == "dmvr" else None
            yield from _claim(f"{key}.vertex_error", spread(of_method, vertex_error_mm), "mm", "lower", target)
            yield from _claim(f"{key}.reprojection", spread(of_method, reprojection_px), "px", "lower")
        dmvr, smvr = (matching(of_count, method=method) for method in ("dmvr", "smvr"))
        gain = paired(smvr, dmvr, vertex_error_mm)
        yield from _claim(f"{kind}.smvr_minus_dmvr.{cameras}_cameras", gain, "mm", "higher", 0.0)


def _table1(kind: str, samples: list[Sample]) -> Iterator[Metric]:
    whole = matching(samples, ablation="all")
    yield from _claim(f"{kind}.all.vertex_error", spread(whole, vertex_error_mm), "mm", "lower")
    for row in list(ABLATIONS)[1:]:
        key, without = f"{kind}.{row.replace(' ', '_')}", matching(samples, ablation=row)
        yield from _claim(f"{key}.vertex_error", spread(without, vertex_error_mm), "mm", "lower")
        yield from _claim(f"{key}.minus_all", loss_without(samples, row), "mm", "higher", 0.0)


def _texture(kind: str, samples: list[Sample]) -> Iterator[Metric]:
    dmvr, smvr = (matching(samples, method=method) for method in ("dmvr", "smvr"))
    matched = kind == "matched"
    target = TEXTURE_TARGET_DB if matched else None
    yield from _claim(f"{kind}.dmvr.texture_psnr", spread(dmvr, texture_psnr_db), "dB", "higher", target)
    yield from _claim(f"{kind}.smvr.texture_psnr", spread(smvr, texture_psnr_db), "dB", "higher")
    ratio = paired(dmvr, smvr, texture_psnr_db, lambda ours, theirs: ours / theirs)
    yield from _claim(f"{kind}.ratio", ratio, "", "higher", RATIO_TARGET if matched else None)


def _claim(
    key: str,
    figure: Spread | None,
    unit: str,
    better: Literal["lower", "higher"],
    target: float | None = None,
) -> Iterator[Metric]:
    if figure is not None:
        yield Metric(key, figure.mean, unit, target, better)

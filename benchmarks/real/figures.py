"""What leave-one-camera-out shows: figures against the targets that this project set itself, and their table."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import Metric
from handrefine.evaluation.measures import HOLDOUT_MEASURES

Sample = dict[str, Any]
AGREEMENT_TARGET, CONTOUR_TARGET = 0.93, 0.30
#: By the outlines that were drawn by hand: how much nearer contours come, and what precision may fall by.
OUTLINE_TARGET, PRECISION_TARGET = 0.55, 0.0
YARDSTICK = ("contour_px", "iou", "precision", "recall")
FIGURES = tuple(HOLDOUT_MEASURES)


def claims(samples: Sequence[Sample]) -> list[Metric]:
    """Means over held-out cameras and hands; no target where nothing could be told."""
    return list(_claims(samples))


def _claims(samples: Sequence[Sample]) -> Iterator[Metric]:
    for name in FIGURES:
        for moment in ("before", "after"):
            value = _mean(samples, name, moment)
            if value is not None:
                unit = "px" if name == "contour_distance_px" else ""
                better = "higher" if name.startswith("mask") else "lower"
                yield Metric(f"{name}.{moment}", value, unit, better=better)
    changes = [change for sample in samples if (change := agreement_change(sample)) is not None]
    if changes:
        after = [(_of(s, "mask_precision", "after") + _of(s, "mask_recall", "after")) / 2 for s in samples]
        yield Metric("agreement.after", float(np.mean(after)), "", AGREEMENT_TARGET, "higher")
        yield Metric("agreement.worst_change", min(changes), "", 0.0, "higher")
    before, after = (_mean(samples, "contour_distance_px", moment) for moment in ("before", "after"))
    if before and after is not None:
        yield Metric("contour_distance.reduction", 1 - after / before, "", CONTOUR_TARGET, "higher")
    yield from _by_yardstick(samples)


def _by_yardstick(samples: Sequence[Sample]) -> Iterator[Metric]:
    judged = [sample["yardstick"] for sample in samples if sample.get("yardstick")]
    if not judged:
        return
    for name in YARDSTICK:
        for moment in ("before", "after"):
            value = _mean_of([of[name] for of in judged], moment)
            if value is not None:
                contour = name == "contour_px"
                yield Metric(
                    f"yardstick.{name}.{moment}",
                    value,
                    "px" if contour else "",
                    None,
                    "lower" if contour else "higher",
                )
    before, after = (_mean_of([of["contour_px"] for of in judged], moment) for moment in ("before", "after"))
    if before and after is not None:
        yield Metric("yardstick.contour_reduction", 1 - after / before, "", OUTLINE_TARGET, "higher")
    precisions = [of["precision"] for of in judged if None not in of["precision"].values()]
    if precisions:
        worst = min(of["after"] - of["before"] for of in precisions)
        yield Metric("yardstick.worst_precision_change", worst, "", PRECISION_TARGET, "higher")


def agreement_change(sample: Sample) -> float | None:
    """By how much the mean of mask precision and recall rises in the held-out camera."""
    both = [sample["mean"][name] for name in ("mask_precision", "mask_recall")]
    if any(of[moment] is None for of in both for moment in ("before", "after")):
        return None
    return sum(of["after"] - of["before"] for of in both) / 2


def table(samples: Sequence[Sample]) -> str:
    """Markdown: a row for every held-out camera and hand."""
    rows = [
        "| held-out camera | hand | mask precision | mask recall | contour distance, px | photometric error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for sample in samples:
        cells = (_cell(name, sample["mean"][name]) for name in FIGURES)
        rows.append(f"| {sample['held_out']} | {sample['hand']} | " + " | ".join(cells) + " |")
    means = (
        _cell(name, {moment: _mean(samples, name, moment) for moment in ("before", "after")}) for name in FIGURES
    )
    return "\n".join([*rows, "| **mean** | | " + " | ".join(means) + " |"])


def yardstick_table(samples: Sequence[Sample]) -> str:
    """Markdown: a row for every held-out camera and hand that has an outline drawn by hand.

    By its own calibration: contours once the camera is turned until it shows the hands on the outlines.
    """
    rows = [
        "| held-out camera | hand | contour distance, px | by its own calibration | IoU | precision | recall |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    judged = [sample for sample in samples if sample.get("yardstick")]
    for sample in judged:
        rows.append(_yardstick_row(sample["held_out"], sample["hand"], [sample["yardstick"]]))
    for hand in dict.fromkeys(sample["hand"] for sample in judged):
        rows.append(_yardstick_row("**mean**", hand, [of["yardstick"] for of in judged if of["hand"] == hand]))
    return "\n".join(rows)


def _yardstick_row(camera: str, hand: str, judged: Sequence[dict[str, Any]]) -> str:
    cells = []
    for name in YARDSTICK:
        change = {moment: _mean_of([of[name] for of in judged], moment) for moment in ("before", "after")}
        cells.append(_cell("contour_distance_px" if name == "contour_px" else name, change))
        if name == "contour_px":
            own = _mean_of([of[name] for of in judged], "own_calibration")
            cells.append("-" if own is None else f"{own:.1f}")
    return f"| {camera} | {hand} | " + " | ".join(cells) + " |"


def _mean_of(changes: Sequence[dict[str, float | None]], moment: str) -> float | None:
    known = [value for change in changes if (value := change.get(moment)) is not None]
    return float(np.mean(known)) if known else None


def _cell(name: str, change: dict[str, float | None]) -> str:
    before, after = change["before"], change["after"]
    if before is None or after is None:
        return "-"
    if name == "contour_distance_px":
        return f"{before:.1f} -> {after:.1f}"
    return f"{100 * before:.1f} -> {100 * after:.1f} %"


def _of(sample: Sample, name: str, moment: str) -> float:
    return sample["mean"][name][moment]


def _mean(samples: Sequence[Sample], name: str, moment: str) -> float | None:
    known = [value for sample in samples if (value := sample["mean"][name][moment]) is not None]
    return float(np.mean(known)) if known else None

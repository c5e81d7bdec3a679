"""The run in numbers: before and after, all together, by frame and by camera, fitted and held out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from handrefine.evaluation.measures import HOLDOUT_MEASURES, MEASURES, Measure
from handrefine.report.contents import RunContents
from handrefine.report.markup import table

#: Measured by the report itself, from the views' images, because it needs neither truth nor masks.
RESIDUAL = "residual_levels"
VIEW_MEASURES: dict[str, Measure] = {
    **MEASURES,
    RESIDUAL: Measure("mean colour residual", "levels", 1, "lower", "no images"),
    **HOLDOUT_MEASURES,
}
SHORT = {
    "vertex_error_mm": "vertex error",
    "joint_error_mm": "joint error",
    "reprojection_px": "reprojection",
    "mask_precision": "precision",
    "mask_recall": "recall",
    RESIDUAL: "residual",
    "contour_distance_px": "contour",
    "photometric_error": "photometric",
}
#: One frame, camera or view: `{measure: {"before": x, "after": y}}`, besides what it is.
Entry = Mapping[str, Any]


def summary(contents: RunContents, views: Sequence[Entry]) -> str:
    """The table of everything that was measured before and after; held-out cameras below."""
    rows = _summary_rows({**contents.metrics, RESIDUAL: _mean(views, RESIDUAL)})
    held_out = contents.held_out.get("mean")
    if isinstance(held_out, Mapping):
        rows += [(f"{name} <small>held out</small>", *cells) for name, *cells in _summary_rows(held_out)]
    return table(("measure", "before", "after", "change"), rows, kind="summary")


def by_frame(contents: RunContents, views: Sequence[Entry]) -> str:
    """A row a frame: its own errors, the means of its views, and how far the hand was moved."""
    own = {entry.get("frame"): entry for entry in _entries(contents.metrics, "per_frame")}
    frames = list(dict.fromkeys([*own, *(view.get("frame") for view in views)]))
    entries = [
        {**_means([view for view in views if view.get("frame") == frame]), **own.get(frame, {})}
        for frame in frames
    ]
    moved = _moved_mm(contents)
    extra = {"moved": [f"{moved[frame]:.1f} mm" if frame in moved else "" for frame in frames]}
    return _table("frame", [str(frame) for frame in frames], entries, extra if moved else {})


def by_camera(views: Sequence[Entry]) -> str:
    """A row a camera: the means of its views."""
    cameras = list(dict.fromkeys(str(view.get("camera")) for view in views))
    entries = [_means([view for view in views if str(view.get("camera")) == camera]) for camera in cameras]
    return _table("camera", [escape(name) for name in cameras], entries, {})


def held_out(contents: RunContents) -> str:
    """What the cameras say that the fit never saw: a row a camera, and a row a frame."""
    views = _entries(contents.held_out, "cameras")
    if not views:
        return ""
    frames = list(dict.fromkeys(view["frame"] for view in views if view.get("frame") is not None))
    of_frames = [_means([view for view in views if view.get("frame") == frame]) for frame in frames]
    told = '<p class="small">Cameras that the fit never saw: it improves there only where the hand itself did.</p>'
    return told + by_camera(views) + _table("frame", [str(frame) for frame in frames], of_frames, {})


def camera_weights(contents: RunContents) -> str:
    """How much every camera counted in the fit, and why."""
    if not contents.camera_weights:
        return ""
    rows = [
        (
            escape(str(entry.get("camera"))),
            _number_text(entry.get("weight")),
            _number_text(entry.get("agreement")),
            _number_text(entry.get("visible_share")),
            escape(str(entry.get("reason") or "")),
        )
        for entry in contents.camera_weights
    ]
    return table(("camera", "weight", "agreement", "visible share", "reason"), rows, kind="weights")


def _number_text(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) and math.isfinite(value) else ""


def view_entries(contents: RunContents) -> list[dict[str, Any]]:
    """The views of `metrics.json`, and those whose images there are."""
    known = {(e.get("frame"), str(e.get("camera"))): dict(e) for e in _entries(contents.metrics, "per_view")}
    for view in contents.views:
        known.setdefault((view.frame, view.camera), {"frame": view.frame, "camera": view.camera})
    return list(known.values())


def change_text(entry: Entry, key: str) -> str:
    """`before → after` of one measure, coloured by whether it got better; empty where it is not known."""
    before, after = _pair(entry.get(key))
    if before is None or after is None:
        return ""
    measure = VIEW_MEASURES[key]
    numbers = f"{before * measure.scale:.{measure.digits}f}", f"{after * measure.scale:.{measure.digits}f}"
    return (
        f'<span class="was">{numbers[0]} →</span> <b class="{_verdict(before, after, measure)}">{numbers[1]}</b>'
    )


def worsened(contents: RunContents) -> list[str]:
    """What got worse, in words."""
    found = []
    for key, measure in MEASURES.items():
        before, after = _pair(contents.metrics.get(key))
        if before is not None and after is not None and _verdict(before, after, measure) == "worse":
            scaled = [f"{value * measure.scale:.{measure.digits}f}" for value in (before, after)]
            found.append(f"The {measure.name} got worse: {scaled[0]} to {scaled[1]} {measure.unit}.")
    return found


def _summary_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for key, measure in VIEW_MEASURES.items():
        if not isinstance(metrics.get(key), Mapping):
            continue
        before, after = _pair(metrics[key])
        if before is None and after is None:
            continue
        change = ""
        if before is not None and after is not None:
            change = f'<span class="{_verdict(before, after, measure)}">{_change(before, after, measure)}</span>'
        name = f"{escape(measure.name)} <small>{measure.unit}</small>"
        rows.append((name, _shown(before, measure), _shown(after, measure), change))
    return rows


def _shown(value: float | None, measure: Measure) -> str:
    if value is None:
        return f'<span class="muted">{measure.missing}</span>'
    return f"{value * measure.scale:.{measure.digits}f}"


def _change(before: float, after: float, measure: Measure) -> str:
    if measure.change == "relative":
        return f"{100 * (after - before) / before:+.1f}&nbsp;%" if before else ""
    unit = "points" if measure.unit == "%" else measure.unit
    return f"{(after - before) * measure.scale:+.{measure.digits}f}&nbsp;{unit}"


def _verdict(before: float, after: float, measure: Measure) -> str:
    if after == before:
        return "same"
    return "better" if (after < before) == (measure.better == "lower") else "worse"


def _table(head: str, names: Sequence[str], entries: Sequence[Entry], extra: Mapping[str, Sequence[str]]) -> str:
    keys = [key for key in SHORT if any(change_text(entry, key) for entry in entries)]
    if not names or not (keys or extra):
        return ""
    heads = [f"{SHORT[key]} <small>{VIEW_MEASURES[key].unit}</small>" for key in keys]
    rows = [
        (name, *(change_text(entry, key) for key in keys), *(column[k] for column in extra.values()))
        for k, (name, entry) in enumerate(zip(names, entries, strict=True))
    ]
    return table((head, *heads, *extra), rows)


def _means(views: Sequence[Entry]) -> dict[str, Any]:
    return {key: _mean(views, key) for key in SHORT}


def _mean(views: Sequence[Entry], key: str) -> dict[str, float | None] | None:
    """Means over the views in which the measure is known both before and after."""
    pairs = [_pair(view.get(key)) for view in views]
    known = np.array([pair for pair in pairs if None not in pair], dtype=float).reshape(-1, 2)
    if not len(known):
        return None
    before, after = known.mean(axis=0).tolist()
    return {"before": before, "after": after}


def _pair(value: object) -> tuple[float | None, float | None]:
    if not isinstance(value, Mapping):
        return None, None
    numbers: Iterable[object] = (value.get("before"), value.get("after"))
    before, after = (float(n) if isinstance(n, int | float) and math.isfinite(n) else None for n in numbers)
    return before, after


def _entries(metrics: Mapping[str, Any], key: str) -> list[Entry]:
    listed = metrics.get(key)
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []


def _moved_mm(contents: RunContents) -> dict[int, float]:
    """Mean distance that the refinement moved the vertices, by frame."""
    if (annotation := contents.annotation) is None:
        return {}
    distance = np.linalg.norm(annotation.after.verts_world - annotation.before.verts_world, axis=-1)
    return dict(zip(annotation.frames, (1000 * distance.mean(axis=1)).tolist(), strict=True))

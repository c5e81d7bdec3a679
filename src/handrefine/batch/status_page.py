"""How far a batch is, as one page that needs no other file: a tile a task, with a link to the run's report."""

import time
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from handrefine.batch.folder import BatchFolder
from handrefine.batch.status import BatchStatusNow, TaskRow
from handrefine.batch.task_figures import task_figures
from handrefine.io.files import whole_file
from handrefine.report.markup import picture_element
from handrefine.report.page import filled_page

#: What tiles are sorted by: key of the tile's data, and the button's text.
SORTS = {
    "name": "name",
    "state": "state",
    "seconds": "time",
    "heldout": "held-out contour",
    "improved": "frames improved",
    "beyond": "frames beyond repair",
}


def write_status_page(folder: BatchFolder, now: BatchStatusNow, facts: list[str]) -> Path:
    """Write the page into the batch's folder.

    Args:
        facts: what stands in a line below the title.
    """
    tiles = "".join(_tile(folder, row, now.elapsed_s(row.state)) for row in now.rows)
    buttons = "".join(
        f'<button type="button" data-key="{key}" aria-pressed="false">{escape(text)}</button>'
        for key, text in SORTS.items()
    )
    own = files("handrefine.batch")
    style, script = (own.joinpath(f"status.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    body = (
        f"<style>{style}</style>"
        f'<div class="sorting" role="group" aria-label="sort tasks">sort by {buttons}</div>'
        f'<div class="tiles">{tiles}</div><script>{script}</script>'
    )
    left_out = "".join(f"<li><b>{escape(of.sequence)}</b> {escape(of.reason)}</li>" for of in now.unreadable)
    sections = {
        "tasks": ("Tasks", body),
        "left-out": ("Sequences left out", f'<ul class="warnings">{left_out}</ul>' if left_out else ""),
    }
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(now.at))
    page = filled_page(f"batch {folder.root.resolve().name}", [*facts, at], sections)
    with whole_file(folder.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder.page


def _tile(folder: BatchFolder, row: TaskRow, seconds: float | None) -> str:
    task, state = row.task, row.state
    figures = task_figures(folder, task.name) if state.status == "done" else None
    contour = _after(figures.held_out.get("contour_distance_px")) if figures else None
    data = {
        "name": task.name,
        "state": state.status,
        "seconds": "" if seconds is None else f"{seconds:.1f}",
        "heldout": "" if contour is None else f"{contour:.4f}",
        "improved": figures.verdicts.get("improved", 0) if figures else "",
        "beyond": figures.verdicts.get("beyond repair", 0) if figures else "",
    }
    attributes = " ".join(f'data-{key}="{escape(str(value), quote=True)}"' for key, value in data.items())
    told = {"frames": str(len(task.frames)), "hands": ", ".join(task.task["hands"])}
    if task.subject is not None:
        told["person"] = f"held, of {', '.join(task.after)}" if task.after else f"given, {task.subject}"
    if seconds is not None:
        told["time"] = f"{seconds:.0f} s"
    if state.peak_memory_mb is not None:
        told["memory"] = f"{state.peak_memory_mb / 1e3:.1f} GB"
    if state.node and state.status == "running":
        told["where"] = f"{state.node}, process {state.process}"
    pictures = ""
    if figures is not None:
        told |= _shown(figures.held_out)
        judged = sum(figures.verdicts.values())  # frames of hands
        told |= {verdict: f"{count} of {judged}" for verdict, count in figures.verdicts.items()}
        names = zip(("before", "after"), figures.thumbnails, strict=False)
        pictures = "".join(picture_element(uri, name, *figures.size_px) for name, uri in names)
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in told.items())
    report = folder.run(task.name) / "report.html"
    title = escape(task.name)
    if report.is_file():
        title = f'<a href="{escape(report.relative_to(folder.root).as_posix(), quote=True)}">{title}</a>'
    reason = f'<p class="small worse">{escape(state.reason)}</p>' if state.reason else ""
    return (
        f'<article class="tile {state.status}" {attributes}><h4>{title}</h4>'
        f'<span class="small">{state.status}</span>{reason}'
        f'<div class="pair">{pictures}</div><dl>{rows}</dl></article>'
    )


def _shown(held_out: Mapping[str, Any]) -> dict[str, str]:
    """The held-out figures that people ask for first, before and after."""
    found = {}
    for key, name, factor, unit in (
        ("contour_distance_px", "held-out contour", 1.0, "px"),
        ("photometric_error", "held-out colours", 100.0, "%"),
    ):
        change = held_out.get(key)
        if isinstance(change, Mapping) and change.get("before") is not None and change.get("after") is not None:
            before, after = (factor * float(change[moment]) for moment in ("before", "after"))
            found[name] = f"{before:.2f} \u2192 {after:.2f} {unit}"
    return found


def _after(change: object) -> float | None:
    after = change.get("after") if isinstance(change, Mapping) else None
    return float(after) if isinstance(after, int | float) else None

"""Putting the page of one hand together."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import yaml

from handrefine.io.files import whole_file
from handrefine.report import appearance
from handrefine.report.charts import loss_charts
from handrefine.report.contents import RunContents, read_contents
from handrefine.report.evidence import evidence
from handrefine.report.figures import (
    by_camera,
    by_frame,
    camera_weights,
    held_out,
    summary,
    view_entries,
    worsened,
)
from handrefine.report.markup import section
from handrefine.report.verdicts import frame_verdicts
from handrefine.report.views import legend, view_cards, view_map, wipe
from handrefine.runs.layout import RunLayout
from handrefine.runs.manifest import note_written
from handrefine.runs.reader import HandRun

log = logging.getLogger(__name__)
#: What values raise where others were expected.
_OTHER_KINDS = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)


def write_report_of_hand(run: HandRun, out: Path | None = None) -> Path:
    """Write the page of one hand's run."""
    return write_page(run.layout, report_page(read_contents(run)), out)


def write_page(layout: RunLayout, page: str, out: Path | None = None) -> Path:
    """Write a page, whole or not at all: into its run folder, or to another file."""
    path = layout.report if out is None else out
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    if out is None:
        note_written(layout.root, layout.report.name)
    return path


def report_page(contents: RunContents) -> str:
    """The page as text."""
    figures = view_entries(contents)
    cards = view_cards(contents, figures)  # first, because it measures the residuals that the tables show
    parts: dict[str, tuple[str, Callable[[], str]]] = {
        "summary": ("Summary", lambda: summary(contents, figures)),
        "loss": ("Loss", lambda: loss_charts(contents.records)),
        "frames": ("By frame", lambda: by_frame(contents, figures)),
        "verdict": ("Verdict by frame", lambda: frame_verdicts(contents)),
        "cameras": ("By camera", lambda: by_camera(figures)),
        "evidence": ("Evidence of the joints", lambda: evidence(contents)),
        "held-out": ("Held-out cameras", lambda: held_out(contents)),
        "weights": ("Weights of the cameras", lambda: camera_weights(contents)),
        "views": ("Views", lambda: _views(cards, view_map(contents, figures))),
        "texture": ("Texture", lambda: appearance.texture(contents)),
        "light": ("Light", lambda: appearance.light(contents)),
        "colour": ("Colour transforms", lambda: appearance.colour_transforms(contents.colours)),
        "configuration": ("Configuration", lambda: _configuration(contents)),
    }
    sections = {name: (heading, _shown(contents, heading, make)) for name, (heading, make) in parts.items()}
    warned = _shown(contents, "Warnings", lambda: _warnings(contents))
    sections = {"summary": sections.pop("summary"), "warnings": ("Warnings", warned), **sections}
    return filled_page(contents.title, _facts(contents), sections)


def _shown(contents: RunContents, heading: str, make: Callable[[], str]) -> str:
    """A section's HTML; nothing, and a note, where a file of the run holds other things than a run writes."""
    try:
        return make()
    except _OTHER_KINDS as error:
        log.warning("%s of the report cannot be shown: %s: %s", heading, type(error).__name__, error)
        contents.notes.append(f"{heading} cannot be shown: a file of the run holds what no run writes.")
        return ""


def filled_page(title: str, facts: Sequence[str], sections: Mapping[str, tuple[str, str]]) -> str:
    """The page with a title, facts in a line and `{id: (heading, HTML)}`; empty sections are left out."""
    return Template(_data("report.html")).substitute(
        title=escape(title),
        style=_data("report.css"),
        script=_data("report.js"),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in facts),
        contents="".join(
            f'<li><a href="#{name}">{heading}</a></li>' for name, (heading, body) in sections.items() if body
        ),
        sections="".join(section(name, heading, body) for name, (heading, body) in sections.items()),
    )


def _views(cards: str, links: str) -> str:
    if not cards:
        return ""
    size = '<input type="range" min="90" max="420" value="190" step="10" id="image-size">'
    controls = (
        f'<div class="controls"><span>all views {wipe("share of all images shown before refining", "wipe-all")}'
        f"</span><label>image size {size}</label></div>"
    )
    return f"{links}{legend()}{controls}{cards}"


def _facts(contents: RunContents) -> list[str]:
    """What was run, in a line."""
    configuration, metrics = contents.configuration, contents.metrics
    counted = [
        (_length(configuration.get("cameras")), "camera", "cameras"),
        (_length(configuration.get("frames")), "frame", "frames"),
        (len(contents.views), "view", "views"),
        (metrics.get("iterations") or 0, "iteration", "iterations"),
    ]
    facts = [f"UNFINISHED: {metrics['unfinished']}"] if metrics.get("unfinished") else []
    facts += [] if contents.annotation is None else [f"{contents.annotation.side} hand"]
    facts += [f"{count} {one if count == 1 else many}" for count, one, many in counted if count]
    if isinstance(seconds := metrics.get("seconds"), int | float):
        facts.append(f"{seconds:.0f} s")
    facts += [str(metrics[key]) for key in ("variant",) if metrics.get(key)]
    facts += [f"seed {metrics['seed']}"] if metrics.get("seed") is not None else []
    facts += [f"handrefine {metrics['version']}"] if metrics.get("version") else []
    facts.append(f"report of {time.strftime('%Y-%m-%d %H:%M')}")
    return facts


def _length(value: object) -> int:
    return len(value) if isinstance(value, Sequence | Mapping) and not isinstance(value, str) else 0


def _warnings(contents: RunContents) -> str:
    """What the run warned of, what got worse, and what this page lacks."""
    messages = [
        escape(message) + (f" <small>({count} times)</small>" if count > 1 else "")
        for message, count in contents.warnings.items()
    ]
    messages += [escape(message) for message in worsened(contents)]
    lacking = [escape(note) for note in dict.fromkeys(contents.notes)]
    if not messages and not lacking:
        return '<p class="muted">None.</p>'
    warned = "".join(f'<li class="warning">{message}</li>' for message in messages)
    return f'<ul class="warnings">{warned}{"".join(f"<li>{note}</li>" for note in lacking)}</ul>'


def _configuration(contents: RunContents) -> str:
    if not contents.configuration:
        return ""
    text = yaml.safe_dump(dict(contents.configuration), sort_keys=False, allow_unicode=True)
    return f"<details><summary>All settings of the run</summary><pre>{escape(text)}</pre></details>"


def _data(name: str) -> str:
    return files("handrefine.report").joinpath(name).read_text(encoding="utf-8")

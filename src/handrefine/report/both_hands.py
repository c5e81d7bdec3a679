"""A run of both hands: a report for each, and a page that leads to them."""

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path

from handrefine.report.contents import RunContents, read_contents
from handrefine.report.figures import summary, view_entries
from handrefine.report.page import REPORT_FILE, filled_page, write_page, write_report_of_hand
from handrefine.runs.manifest import note_written
from handrefine.sequence import Side


def write_reports_of_hands(run: Path, hands: Mapping[Side, Path]) -> Path:
    """Write `report.html` into every hand's folder, and one into `run` that shows their figures and links them.

    Raises:
        InputError: a hand's folder is no finished run.
    """
    for folder in hands.values():
        write_report_of_hand(folder)
    contents = {side: read_contents(folder) for side, folder in hands.items()}
    sections = {side: (f"{side.capitalize()} hand", _hand(side, of)) for side, of in contents.items()}
    title = str(next(iter(contents.values())).configuration.get("sequence", run.name))
    facts = [" and ".join(hands) + (" hands" if len(hands) > 1 else " hand")]
    facts.append(f"report of {time.strftime('%Y-%m-%d %H:%M')}")
    page = write_page(run / REPORT_FILE, filled_page(title, facts, sections))
    note_written(run, REPORT_FILE)
    return page


def _hand(side: str, contents: RunContents) -> str:
    figures = summary(contents, view_entries(contents))
    page = escape(f"{side}/{REPORT_FILE}", quote=True)
    return f'{figures}<p><a href="{page}">Everything about the {side} hand</a></p>'

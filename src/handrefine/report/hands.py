"""A run of several hands: a report for each, and a page that leads to them."""

import time
from html import escape
from pathlib import Path

from handrefine.report.contents import RunContents, read_contents
from handrefine.report.figures import summary, view_entries
from handrefine.report.page import filled_page, write_page, write_report_of_hand
from handrefine.runs.reader import HandRun, Run


def write_reports_of_hands(run: Run) -> Path:
    """Write the report into every hand's folder, and one into the run's that shows figures and links to them."""
    for hand in run.hands:
        write_report_of_hand(hand)
    contents = [(hand, read_contents(hand)) for hand in run.hands]
    names = [hand.layout.root.name for hand in run.hands]
    sections = {
        name: (f"{name.capitalize()} hand", _hand(name, *of)) for name, of in zip(names, contents, strict=True)
    }
    facts = [" and ".join(names) + " hands", f"report of {time.strftime('%Y-%m-%d %H:%M')}"]
    return write_page(run.layout, filled_page(contents[0][1].title, facts, sections))


def _hand(name: str, hand: HandRun, contents: RunContents) -> str:
    figures = summary(contents, view_entries(contents))
    page = escape(f"{name}/{hand.layout.report.name}", quote=True)
    return f'{figures}<p><a href="{page}">Everything about the {name} hand</a></p>'

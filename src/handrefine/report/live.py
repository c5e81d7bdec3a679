"""A run while it runs: its loss so far and its latest views, on a page that renews itself."""

import base64
import time
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from handrefine.errors import InputError
from handrefine.io.text_files import parse_json
from handrefine.progress import Record
from handrefine.report.charts import loss_charts
from handrefine.report.markup import figure
from handrefine.report.page import filled_page
from handrefine.runs.layout import RunLayout
from handrefine.runs.unfinished import partial_of

#: Seconds until the page asks again.
RENEWED_S = 3
#: No run takes longer.
_LONGEST_S = 1e10


def running(target: Path) -> RunLayout | None:
    """Where a run to this folder is in the meantime; None where none is under way."""
    layout = RunLayout(partial_of(target.expanduser().resolve()))
    return layout if layout.task.is_file() or layout.log.is_file() else None


def live_page(layout: RunLayout, title: str) -> str:
    """Facts, curves and views of what has been written so far."""
    records = list(_records(layout.log))
    facts = ["running"]
    if records:
        last = records[-1]
        facts += [f"stage {last.get('stage')}", f"{len(records)} iterations"]
        if isinstance(seconds := last.get("seconds"), int | float) and 0 <= seconds < _LONGEST_S:
            facts.append(f"{seconds:.0f} s of iterations")
    facts.append(time.strftime("%H:%M:%S"))
    sections = {"loss": ("Loss", loss_charts(records)), "views": ("Views", _views(layout))}
    if not records:
        sections = {"start": ("Starting", "<p>The images are being read, cropped and labelled.</p>")}
    return filled_page(title, facts, sections)


def live_server(target: Path, *, host: str, port: int) -> ThreadingHTTPServer:
    """A server of the page; once the run has ended, of its report. The next free port where that one is taken.

    Raises:
        InputError: no port can be had.
    """

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text, refresh = _answer(target)
            data = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            if refresh:
                self.send_header("Refresh", str(RENEWED_S))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    for candidate in range(port, port + 20):
        with suppress(OSError):
            return ThreadingHTTPServer((host, candidate), Page)
    raise InputError("the viewer cannot be started", where=f"{host}:{port}", fix="choose another --port")


def _answer(target: Path) -> tuple[str, bool]:
    """The page, and whether it is to be renewed."""
    layout = running(target)
    if layout is not None:
        return live_page(layout, target.name), True
    report = RunLayout(target).report
    if report.is_file():
        return report.read_text(encoding="utf-8"), False
    ended = f"<p>No run to {escape(str(target))} is under way, and none has finished.</p>"
    return filled_page(target.name, ["ended"], {"end": ("No result", ended)}), True


def _records(log: Path) -> Iterator[Record]:
    """The lines so far; the last one may be half written."""
    if not log.is_file():
        return
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = parse_json(line, log)
        except InputError:
            continue
        if isinstance(record, dict):
            yield record


def _views(layout: RunLayout) -> str:
    parts = []
    for path in sorted(layout.live.glob("*.png")) if layout.live.is_dir() else ():
        try:
            data = base64.b64encode(path.read_bytes()).decode("ascii")
        except FileNotFoundError:  # another view has come in its place
            continue
        image = f'<img alt="contour and render" src="data:image/png;base64,{data}">'
        parts.append(figure(image, f"{escape(path.stem)}: the contour over the image, and the render"))
    return f'<div class="live">{"".join(parts)}</div>' if parts else ""

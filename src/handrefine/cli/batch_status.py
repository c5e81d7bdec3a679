"""`handrefine batch status`: how far a batch is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tyro.conf import Positional

from handrefine.cli.common import Common

if TYPE_CHECKING:
    from handrefine.batch.folder import BatchTask
    from handrefine.batch.status import BatchStatusNow

COLOURS = {"queued": "dim", "running": "cyan", "done": "green", "failed": "red"}


@dataclass(frozen=True, kw_only=True)
class BatchStatus(Common):
    """Show how far a batch is: every task, throughput and time left; and write a page with a tile a task."""

    batch: Annotated[Path, Positional]
    """Folder of the batch."""

    def __call__(self, console: Console) -> None:
        from handrefine.batch.folder import BatchFolder
        from handrefine.batch.status import status_of
        from handrefine.batch.status_page import write_status_page

        folder = BatchFolder(self.batch)
        now = status_of(folder)
        console.print(task_table(now))
        for of in now.unreadable:
            console.print(f"[red]left out[/] {escape(of.sequence)}: {escape(of.reason)}", highlight=False)
        console.print(summary(now), highlight=False)
        page = write_status_page(folder, now, summary(now).split("; "))
        console.print(f"open {page} in a browser", markup=False, highlight=False)


def task_table(now: "BatchStatusNow") -> Table:
    """A row for every task."""
    table = Table()
    for heading in ("task", "state", "frames", "time", "where", "reason"):
        table.add_column(heading, overflow="fold")
    for row in now.rows:
        state = row.state
        seconds = now.elapsed_s(state)
        table.add_row(
            escape(row.task.name + place_of(row.task)),
            f"[{COLOURS[state.status]}]{state.status}[/]",
            str(len(row.task.frames)),
            "" if seconds is None else duration(seconds),
            escape(f"{state.node}:{state.process}") if state.node else "",
            escape(state.reason or ""),
        )
    return table


def place_of(task: "BatchTask") -> str:
    """Whose person a task gives or holds, where one is shared."""
    if task.subject is None:
        return ""
    if task.after:
        return f", holds the person of {', '.join(task.after)}"
    return f", gives the person {task.subject}" + (f", with {task.begun_by}" if task.together else "")


def summary(now: "BatchStatusNow") -> str:
    """Counts, throughput, time left and memory in one line."""
    counts = ", ".join(f"{n} {status}" for status, n in now.counts.items() if n)
    rate = "" if now.frames_per_hour is None else f"; {now.frames_per_hour:.0f} frames an hour"
    left = "" if now.seconds_left is None else f"; {duration(now.seconds_left)} left"
    peak = max((row.state.peak_memory_mb or 0.0 for row in now.rows), default=0.0)
    memory = f"; at most {peak / 1e3:.1f} GB a task" if peak else ""
    return counts + rate + left + memory


def duration(seconds: float) -> str:
    """As people say it."""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"

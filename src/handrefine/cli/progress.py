"""Reporters of progress for a terminal and for a log file; the interface is `handrefine.progress.Progress`."""

import logging
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from handrefine.progress import Progress, Record, SilentProgress

__all__ = ["LogProgress", "RichProgress", "SilentProgress", "progress_for"]

log = logging.getLogger(__name__)


def progress_for(console: Console, iterations: int | None = None) -> Progress:
    """The live line on a terminal, plain lines elsewhere (a file, a pipe, a cluster's log).

    Args:
        iterations: of all stages together, so that the time left is that of the whole run.
    """
    if console.is_terminal:
        return RichProgress(console, iterations)
    return LogProgress(iterations, write=lambda line: console.print(line, markup=False, highlight=False))


class RichProgress:
    """One live line: stage, bar, iteration, loss, errors where the truth is known, time left."""

    def __init__(self, console: Console | None = None, iterations: int | None = None) -> None:
        self._iterations = iterations
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None
        self._resumed = 0

    def resume(self, done: int) -> None:
        self._resumed = done

    def stage(self, name: str, iterations: int) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(
                name, total=self._iterations or iterations, completed=self._resumed, state=""
            )
        elif self._iterations is None:
            self._bar.reset(self._task, total=iterations, description=name)
        else:
            self._bar.update(self._task, description=name)

    def update(self, record: Record) -> None:
        if self._task is not None:
            self._bar.update(self._task, advance=1, state=describe(record))

    def close(self) -> None:
        self._bar.stop()


class LogProgress:
    """A line every 10 iterations, or every 10 seconds where iterations are slow, and for the last of a stage."""

    def __init__(
        self,
        iterations: int | None = None,
        write: Callable[[str], None] = log.info,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._iterations, self._write, self._clock = iterations, write, clock
        self._done = self._resumed = self._stage_done = self._stage_length = self._since_line = 0
        self._stage_name = ""
        self._began = self._last_line = self._stage_began = clock()

    def resume(self, done: int) -> None:
        self._done = self._resumed = done

    def stage(self, name: str, iterations: int) -> None:
        self._stage_name, self._stage_length, self._stage_done, self._since_line = name, iterations, 0, 0
        self._stage_began = self._last_line = self._clock()
        if self._done == self._resumed:
            self._began = self._stage_began
        self._write(f"{name}: {iterations} iterations")

    def update(self, record: Record) -> None:
        now = self._clock()
        self._done, self._stage_done, self._since_line = self._done + 1, self._stage_done + 1, self._since_line + 1
        last = self._stage_done == self._stage_length
        if last or self._since_line >= 10 or now - self._last_line >= 10:
            self._write(f"{self._stage_name} {self._stage_done}/{self._stage_length}  {self._line(record, now)}")
            self._since_line, self._last_line = 0, now

    def close(self) -> None:
        pass

    def _line(self, record: Record, now: float) -> str:
        if self._iterations is None:
            left = (now - self._stage_began) / self._stage_done * (self._stage_length - self._stage_done)
        else:
            left = (now - self._began) / (self._done - self._resumed) * max(0, self._iterations - self._done)
        return f"{describe(record)}  {_duration(left)} left"


def describe(record: Record) -> str:
    """The loss and the errors of one iteration, e.g. `loss 0.0421  vertex 3.18 mm`."""
    parts = [f"loss {loss:.4g}"] if isinstance(loss := record.get("loss"), float) else []
    parts += [
        f"{key.removesuffix('_mm').removesuffix('_error').replace('_', ' ')} {value:.2f} mm"
        for key, value in record.items()
        if key.endswith("_mm") and isinstance(value, float)
    ]
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

"""Reporters of progress for a terminal and for a log file; the interface is `handrefine.progress.Progress`."""

import logging
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from handrefine.cli.time_left import PlannedStage, TimeLeft
from handrefine.progress import PARTS, Progress, Record, SilentProgress

__all__ = ["LogProgress", "RichProgress", "SilentProgress", "progress_for"]

log = logging.getLogger(__name__)


def progress_for(console: Console, stages: Mapping[str, PlannedStage]) -> Progress:
    """The live line on a terminal, plain lines elsewhere (a file, a pipe, a cluster's log).

    Args:
        stages: those that will run, so that the time left is that of the whole job.
    """
    if console.is_terminal:
        return RichProgress(stages, console)
    return LogProgress(stages, write=lambda line: console.print(line, markup=False, highlight=False))


class RichProgress:
    """One live line: part of the job, bar, iteration, loss, errors where the truth is known, time left."""

    def __init__(self, stages: Mapping[str, PlannedStage], console: Console | None = None) -> None:
        self._left = TimeLeft(stages)
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}", markup=False),
            _LeftColumn(self._left),
            console=console,
        )
        self._task: TaskID | None = None
        self._done = self._length = 0

    def part(self, name: str) -> None:
        self._begin(name, PARTS.get(name, name))

    def resume(self, done: int) -> None:
        self._left.resume(done)

    def stage(self, name: str, iterations: int) -> None:
        self._done, self._length = 0, iterations
        self._begin(name, name)

    def update(self, record: Record) -> None:
        self._left.iteration()
        self._done += 1
        self._show(state=f"{self._done}/{self._length}  {describe(record)}")

    def close(self) -> None:
        self._bar.stop()

    def _begin(self, name: str, words: str) -> None:
        self._left.begin(name)
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(words, total=1.0, state="")
        self._show(description=words)

    def _show(self, **fields: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=self._left.share(), **fields)  # pyright: ignore[reportArgumentType]


class _LeftColumn(ProgressColumn):
    def __init__(self, left: TimeLeft) -> None:
        super().__init__()
        self._left = left

    def render(self, task: Task) -> Text:
        seconds = self._left.seconds()
        return Text("" if seconds is None else f"{_duration(seconds)} left", style="progress.remaining")


class LogProgress:
    """A line for every part; in stages every 10 iterations, or 10 seconds where they are slow, and at the end."""

    def __init__(
        self,
        stages: Mapping[str, PlannedStage],
        write: Callable[[str], None] = log.info,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left, self._write, self._clock = TimeLeft(stages, clock), write, clock
        self._done = self._length = self._since_line = 0
        self._name, self._last_line = "", clock()

    def part(self, name: str) -> None:
        self._left.begin(name)
        self._write(f"{PARTS.get(name, name)}{self._time()}")

    def resume(self, done: int) -> None:
        self._left.resume(done)

    def stage(self, name: str, iterations: int) -> None:
        self._left.begin(name)
        self._name, self._length, self._done, self._since_line = name, iterations, 0, 0
        self._last_line = self._clock()
        self._write(f"{name}: {iterations} iterations{self._time()}")

    def update(self, record: Record) -> None:
        self._left.iteration()
        now = self._clock()
        self._done, self._since_line = self._done + 1, self._since_line + 1
        if self._done == self._length or self._since_line >= 10 or now - self._last_line >= 10:
            self._write(f"{self._name} {self._done}/{self._length}  {describe(record)}{self._time()}")
            self._since_line, self._last_line = 0, now

    def close(self) -> None:
        pass

    def _time(self) -> str:
        seconds = self._left.seconds()
        return "" if seconds is None else f"  {_duration(seconds)} left"


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

"""What Ctrl-C and a cluster's SIGTERM do: a run ends after its iteration, all else at once; no rubbish is left."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: A shell shows a process that a signal ended as this plus the signal's number.
SIGNALLED = 128


class Terminated(SystemExit):
    """SIGTERM came: like `KeyboardInterrupt`, whatever is at work lets go of its temporary files and ends."""

    def __init__(self) -> None:
        super().__init__(SIGNALLED + signal.SIGTERM)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within the block SIGTERM raises `Terminated`, as Ctrl-C raises `KeyboardInterrupt`; a second one kills."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopOnSignal:
    """Says that a run is to stop once the process got one of the signals.

    with StopOnSignal(console) as stop:
        run_task(task, stop=stop)

    The second signal ends the process at once, even within a kernel. So does one that comes before the run has
    asked for the first time, when there is nothing to lose yet.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._asked = False
        self._received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        """Whether the run is to stop."""
        self._asked = True
        return self._received is not None

    @property
    def status(self) -> int:
        """The process's exit status: 130 after Ctrl-C, 143 after SIGTERM, 0 where none came."""
        return 0 if self._received is None else SIGNALLED + self._received

    def __enter__(self) -> "StopOnSignal":
        self._before = {of: signal.signal(of, self._receive) for of in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for of, handler in self._before.items():
            signal.signal(of, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        if not self._asked:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        for of in SIGNALS:
            signal.signal(of, signal.SIG_DFL)
        self._console.show_cursor()  # the second one leaves no time for it
        log.info("stopping: what has been found by now is written; the same signal again ends at once")

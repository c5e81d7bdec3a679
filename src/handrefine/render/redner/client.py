"""A worker process at the other end of two pipes: its life, its time-outs, and what it said when it died."""

import os
import select
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from handrefine.errors import InputError
from handrefine.render.redner import protocol

#: Variables that would lead the worker's interpreter to our packages.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")
LAST_LINES = 12
GRACE_S = 2.0


@dataclass(frozen=True, eq=False)
class Answer:
    """What a request gave: arrays by name, and what the worker says about its own costs."""

    arrays: Mapping[str, np.ndarray]
    fields: Mapping[str, Any]


class WorkerClient:
    """Starts a worker, asks it one thing at a time, and ends it: on `close`, and when this object goes.

    Args:
        command: the program to start; it first sends `ready`.
        timeout_s: longest silence, the start included; `alive`, which a worker may send at any time, breaks it.

    Raises:
        InputError: the worker cannot be started, dies, keeps silent for longer than `timeout_s`, or sends
            something that is no message; the error quotes the last lines of its standard error. The worker is
            then gone, and so is every later request.
        RuntimeError: the worker lives, but a request failed in it; with its traceback.
    """

    def __init__(self, command: Sequence[str | Path], *, timeout_s: float = 600.0) -> None:
        self.timeout_s = timeout_s
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        try:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment,
                bufsize=0,
            )
        except OSError as error:
            self._stderr.close()
            raise InputError("the Redner worker cannot be started", where=command[0], found=error) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        os.set_blocking(self._to.fileno(), False)
        self.close = weakref.finalize(self, _end, self._process, self._stderr)
        self.ready = self._receive(time.monotonic() + timeout_s).fields

    def __enter__(self) -> "WorkerClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(
        self, kind: str, fields: Mapping[str, Any] | None = None, arrays: Mapping[str, np.ndarray] | None = None
    ) -> Answer:
        """Send a request and wait for its answer."""
        if not self.close.alive:
            raise InputError("the Redner worker has ended", fix="make a new renderer")
        deadline = time.monotonic() + self.timeout_s
        for block in protocol.encode(kind, dict(fields or {}), dict(arrays or {})):
            self._write(block, deadline)
        return self._receive(deadline)

    def _write(self, block: bytes, deadline: float) -> None:
        view = memoryview(block)
        while view:
            self._wait(self._to, deadline, writing=True)
            try:
                view = view[os.write(self._to.fileno(), view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._failure("the Redner worker stopped") from None

    def _receive(self, deadline: float) -> Answer:
        def read(count: int) -> bytes:
            data = bytearray()
            while len(data) < count:
                self._wait(self._from, deadline, writing=False)
                part = os.read(self._from.fileno(), min(count - len(data), 1 << 20))
                if not part:
                    raise self._failure("the Redner worker stopped")
                data += part
            return bytes(data)

        try:
            kind, fields, arrays = protocol.decode(read)
            while kind == "alive":
                deadline = time.monotonic() + self.timeout_s
                kind, fields, arrays = protocol.decode(read)
        except protocol.ProtocolError as error:
            raise self._failure(f"the Redner worker sent something that is no message: {error}") from error
        if kind == "error":
            raise RuntimeError(f"a request failed in the Redner worker:\n{fields['traceback']}")
        return Answer(arrays, fields)

    def _wait(self, pipe: IO[bytes], deadline: float, *, writing: bool) -> None:
        reading, sending = ([], [pipe]) if writing else ([pipe], [])
        left = deadline - time.monotonic()
        if left <= 0 or not any(select.select(reading, sending, [], left)):
            raise self._failure(f"the Redner worker gave no answer within {self.timeout_s:g} s")

    def _failure(self, what: str) -> InputError:
        """Ends the worker and tells its last words."""
        _stop(self._process)
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        status = _status(self._process.returncode)
        self.close()
        said = "; its last lines:\n    " + "\n    ".join(lines) if lines else ", without a word"
        return InputError(
            what,
            found=f"exit status {status}{said}",
            fix="`handrefine doctor --redner` checks the worker's environment",
        )


def _status(code: int) -> str:
    """A negative one is the signal that ended the process; SIGKILL is what a machine out of memory sends."""
    names = {int(s): s.name for s in signal.Signals}
    return f"{code} ({names[-code]})" if -code in names else str(code)


def _end(process: subprocess.Popen, stderr: IO[bytes]) -> None:
    _stop(process)
    if process.stdout is not None:
        process.stdout.close()
    stderr.close()


def _stop(process: subprocess.Popen) -> None:
    """The end of its input ends a worker that waits; one that does not hear is killed. Waits, so none lingers."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

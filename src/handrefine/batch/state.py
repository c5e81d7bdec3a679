"""What became of a task: a small file each, written whole."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from handrefine.errors import InputError

Status = Literal["queued", "running", "done", "failed"]


#: What a state's values are, where they are known.
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("node", "reason"), (str,)),
    **dict.fromkeys(("process", "attempts"), (int,)),
    **dict.fromkeys(("started", "ended", "cpu_seconds", "peak_memory_mb"), (int, float)),
}

#: No number of a process or of seconds since 1970 is larger.
_LARGEST = 1e12


@dataclass(frozen=True)
class TaskState:
    """A task's state.

    node, process: who runs or ran it last. started, ended: seconds since 1970, of the last attempt.
    attempts: how often it was begun. reason: why it failed, or what speaks against its result, in one line.
    cpu_seconds, peak_memory_mb: of the process that completed it; the memory only where the system tells it.
    """

    status: Status = "queued"
    node: str | None = None
    process: int | None = None
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    reason: str | None = None
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took; None while it goes on, or where there was none."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    @classmethod
    def from_mapping(cls, values: Any, where: Path) -> "TaskState":
        """Raises:
        InputError: it is none.
        """
        known = isinstance(values, Mapping) and values.get("status") in get_args(Status)
        if not known or not all(_is(kind, values.get(name)) for name, kind in _KINDS.items()):
            raise InputError(
                "the state of a task is broken", where=where, fix="remove the file: the task is done anew"
            )
        return cls(**{f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None})


def _is(kind: tuple[type, ...], value: object) -> bool:
    if isinstance(value, int | float):
        return isinstance(value, kind) and not isinstance(value, bool) and abs(value) < _LARGEST
    return value is None or isinstance(value, kind)

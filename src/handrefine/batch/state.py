"""What became of a task: a small file each, written whole."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from handrefine.errors import InputError

Status = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class TaskState:
    """A task's state.

    node, process: who runs or ran it last. started, ended: seconds since 1970, of the last attempt.
    attempts: how often it was begun. reason: why it failed, or what speaks against its result, in one line.
    cpu_seconds: of the process that completed it.
    """

    status: Status = "queued"
    node: str | None = None
    process: int | None = None
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    reason: str | None = None
    cpu_seconds: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took; None while it goes on, or where there was none."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    @classmethod
    def from_mapping(cls, values: Any, where: Path) -> "TaskState":
        """Raises:
        InputError: it is none.
        """
        if not isinstance(values, Mapping) or values.get("status") not in get_args(Status):
            raise InputError(
                "the state of a task is broken", where=where, fix="remove the file: the task is done anew"
            )
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

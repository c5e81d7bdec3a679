"""How far a batch is, and how long it will take."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.run import Unreadable, unreadable
from handrefine.batch.state import Status, TaskState


@dataclass(frozen=True)
class TaskRow:
    """A task and its state."""

    task: BatchTask
    state: TaskState


@dataclass(frozen=True)
class BatchStatusNow:
    """A batch at one moment (`at`, seconds since 1970).

    frames_per_hour: of the tasks that are at work now, or were last; None before one is done.
    seconds_left: None before one is done, or where nobody works.
    """

    at: float
    rows: tuple[TaskRow, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def counts(self) -> Mapping[Status, int]:
        found = Counter(row.state.status for row in self.rows)
        return {status: found[status] for status in get_args(Status)}

    def elapsed_s(self, state: TaskState) -> float | None:
        """How long a task's last attempt took, or has taken so far."""
        if state.status == "running" and state.started is not None:
            return max(self.at - state.started, 0.0)
        return state.seconds

    @property
    def frames_per_hour(self) -> float | None:
        seconds_per_view, workers = self._seconds_per_view, self._workers
        views_per_frame = sum(r.task.n_views for r in self.rows) / max(
            sum(len(r.task.frames) for r in self.rows), 1
        )
        if seconds_per_view is None or not seconds_per_view or not views_per_frame:
            return None
        return 3600 * max(workers, 1) / (seconds_per_view * views_per_frame)

    @property
    def seconds_left(self) -> float | None:
        """Views not yet done, at the pace of those that are, shared by the workers of now.

        No less than the longest task that is at work, or waits, still needs.
        """
        per_view, workers = self._seconds_per_view, self._workers
        if per_view is None or not workers:
            return None
        left = []
        for rows in self._pieces("queued", "running").values():
            elapsed_s = (self.elapsed_s(rows[0].state) or 0.0) if rows[0].state.status == "running" else 0.0
            left.append(max(per_view * sum(row.task.n_views for row in rows) - elapsed_s, 0.0))
        return max([sum(left) / workers, *left], default=0.0)

    def _pieces(self, *statuses: Status) -> Mapping[tuple[str, Status], list[TaskRow]]:
        """The tasks of these states, those together that one process does as one."""
        found: dict[tuple[str, Status], list[TaskRow]] = {}
        for row in self.rows:
            if row.state.status in statuses:
                found.setdefault((row.task.begun_by, row.state.status), []).append(row)
        return found

    @property
    def _workers(self) -> int:
        return len(self._pieces("running"))

    @property
    def _seconds_per_view(self) -> float | None:
        seconds, views = 0.0, 0
        for rows in self._pieces("done").values():
            if (took_s := rows[0].state.seconds) is not None:
                seconds, views = seconds + took_s, views + sum(row.task.n_views for row in rows)
        return seconds / views if views else None


def status_of(folder: BatchFolder) -> BatchStatusNow:
    """The batch as it is now. A task whose process has died without a word counts as queued.

    Raises:
        InputError: this is no batch's folder.
    """
    rows = []
    for name in folder.names():
        state = folder.state(name)
        if state.status == "running":
            with folder.claimed(name) as dead:  # a living worker holds it
                state = TaskState("queued", attempts=state.attempts) if dead else state
        rows.append(TaskRow(folder.task(name), state))
    return BatchStatusNow(time.time(), tuple(rows), tuple(unreadable(folder)))

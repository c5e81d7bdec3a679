"""The time left of a batch, as `batch status` tells it, against what a simulated batch then takes."""

import heapq

import numpy as np
import pytest

from handrefine.batch.folder import BatchTask
from handrefine.batch.state import TaskState
from handrefine.batch.status import BatchStatusNow, TaskRow


def simulated(seed: int, workers: int) -> tuple[list[BatchTask], np.ndarray]:
    """60 tasks that take 8 s and half a second a view, give or take a tenth; and when each begins and ends."""
    rng = np.random.default_rng(seed)
    tasks = [BatchTask(f"{k:02d}", {}, "s", (), int(rng.integers(10, 60))) for k in range(60)]
    free, times = [0.0] * workers, []
    for task in tasks:
        began = heapq.heappop(free)
        times.append((began, began + (8 + 0.5 * task.n_views) * rng.normal(1, 0.1)))
        heapq.heappush(free, times[-1][1])
    return tasks, np.array(times)


def at(now: float, tasks: list[BatchTask], times: np.ndarray) -> BatchStatusNow:
    rows = []
    for task, (began, ended) in zip(tasks, times.tolist(), strict=True):
        if ended <= now:
            state = TaskState("done", "node", 1, began, ended)
        else:
            state = TaskState("running", "node", 1, began) if began <= now else TaskState()
        rows.append(TaskRow(task, state))
    return BatchStatusNow(now, tuple(rows), ())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_from_the_first_tenth_on_the_time_left_is_true_within_a_quarter(workers: int) -> None:
    for seed in range(20):
        tasks, times = simulated(seed, workers)
        end = times[:, 1].max()
        for share in (0.1, 0.3, 0.6):
            now = share * end
            left = at(now, tasks, times).seconds_left
            assert left == pytest.approx(end - now, rel=0.25), (seed, share)


def test_nothing_is_told_before_a_task_is_done_or_where_nobody_works() -> None:
    tasks, times = simulated(0, 2)
    assert at(1.0, tasks, times).seconds_left is None
    assert at(times[:, 1].max() + 1, tasks, times).seconds_left is None

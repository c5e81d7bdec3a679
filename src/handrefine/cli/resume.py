"""`handrefine refine --resume`: going on with a run that was stopped or killed."""

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from handrefine.cli.common import Common
from handrefine.cli.refine import run_and_show


@dataclass(frozen=True, kw_only=True)
class Resume(Common):
    """Go on with a run that was stopped or killed, as if nothing had happened."""

    resume: Path
    """The run folder, or what was to become one."""
    data: Path | None = None
    """The dataset's folder, where it is no longer at its place."""
    take_over: bool = False
    """The run was on another host and has ended: do not wait until it has been silent for ten minutes."""

    def __call__(self, console: Console) -> int:
        from handrefine.pipeline import unfinished_task

        task = unfinished_task(self.resume)
        if task is None:
            console.print(f"{self.resume} is finished: there is nothing to do", markup=False, highlight=False)
            return 0
        task = task if self.data is None else replace(task, data=self.data)
        return run_and_show(task, console, resume=True, take_over=self.take_over)

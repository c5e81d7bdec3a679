"""Runs that were stopped or killed: where they are, and what of them a later process goes on with."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handrefine.errors import InputError
from handrefine.io.text_files import read_json
from handrefine.runs.layout import RunLayout


def partial_of(target: Path) -> Path:
    """The folder beside a run's own in which the run is until it ends."""
    return target.with_name(f".{target.name}.partial")


def is_unfinished(root: Path) -> bool:
    """A folder holds the result of a run that was stopped, which has its own name but can be gone on with."""
    layout = RunLayout(root)
    return has_checkpoint(root) and layout.metrics.is_file() and "unfinished" in _mapping(layout.metrics)


def has_checkpoint(root: Path) -> bool:
    """Iterations have been kept there."""
    folder = RunLayout(root).checkpoints
    return folder.is_dir() and any(folder.iterdir())


def worth_keeping(partial: Path) -> bool:
    """Whether a run that did not finish has left more than its settings: an iteration at least."""
    names = (RunLayout(partial).log.name, RunLayout(partial).annotation.name)
    return has_checkpoint(partial) or any(next(partial.rglob(name), None) is not None for name in names)


def forget_checkpoints(root: Path) -> None:
    """Nobody goes on with a run that is finished; one that was killed at its very end may still hold some."""
    shutil.rmtree(RunLayout(root).checkpoints, ignore_errors=True)


def unfinished_run(target: Path) -> RunLayout | None:
    """Where the run that was to become `target` is; None where it is finished.

    Raises:
        InputError: there is no such run.
    """
    for root in (partial_of(target), target):
        if RunLayout(root).task.is_file() and (root != target or is_unfinished(root)):
            return RunLayout(root)
    if RunLayout(target).metrics.is_file():
        return None
    raise InputError(
        "there is no run to go on with",
        where=target,
        expected=f"a run folder, or {partial_of(target).name} beside it, with {RunLayout(target).task.name}",
    )


def read_task_file(layout: RunLayout) -> Mapping[str, Any]:
    """The mapping of the task that a run was asked to do.

    Raises:
        InputError: it cannot be read.
    """
    return _mapping(layout.task)


def keep_what_goes_on(partial: Path, target: Path) -> None:
    """Leave nothing in `partial` but the task and the checkpoints, or bring those of `target` where there is none.

    Raises:
        OSError: files cannot be removed or copied.
    """
    if not partial.exists():
        partial.mkdir(parents=True)
        if is_unfinished(target):
            shutil.copy2(RunLayout(target).task, RunLayout(partial).task)
            shutil.copytree(RunLayout(target).checkpoints, RunLayout(partial).checkpoints)
        return
    kept = {RunLayout(partial).task, RunLayout(partial).checkpoints}
    for path in partial.iterdir():
        if path in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _mapping(path: Path) -> Mapping[str, Any]:
    values = read_json(path)
    if not isinstance(values, Mapping):
        raise InputError("a file of a run holds no mapping", where=path, found=type(values).__name__)
    return values

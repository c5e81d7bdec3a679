"""The folder of one run: it appears under its name complete, or not at all."""

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from handrefine.errors import InputError
from handrefine.io import files
from handrefine.runs import manifest
from handrefine.runs.layout import MARKER, RunLayout
from handrefine.runs.owner import refuse_living
from handrefine.runs.places import refuse_foreign, refuse_unfinished, refuse_unusable
from handrefine.runs.run_lock import RunLock
from handrefine.runs.unfinished import (
    forget_checkpoints,
    is_unfinished,
    keep_what_goes_on,
    partial_of,
    worth_keeping,
)

log = logging.getLogger(__name__)


class RunFolder:
    """A folder that is filled under a temporary name beside its own and takes its own name when it is complete.

    with RunFolder.create(path) as folder:
        folder.write_json("metrics.json", metrics)

    Leaving the block commits. An exception leaves the target as it was and keeps what was written so far in
    `.{name}.partial`, if that holds an iteration or more; only `overwrite` replaces it, and `resume` goes on with
    it. Two runs to one path exclude each other, see `handrefine.runs.run_lock`.
    """

    def __init__(self, target: Path, partial: Path, *, overwrite: bool, lock: RunLock | None = None) -> None:
        """Use `create`."""
        self.target, self.partial = target, partial
        self._overwrite, self._lock = overwrite, lock
        self._log: TextIO | None = None
        self._committed = False
        self.finished = True

    @classmethod
    def create(
        cls, path: Path, *, overwrite: bool = False, resume: bool = False, take_over: bool = False
    ) -> "RunFolder":
        """Make the temporary folder.

        Args:
            path: must not exist yet, or be an empty folder. Links are followed.
            overwrite: it may also be a folder of an earlier run, which stays until the new one is complete, and
                what a run has left that did not finish is replaced. What no run has written to the folder stays
                for good, see `handrefine.runs.manifest`.
            resume: keep the checkpoints of an earlier run to the same path that did not finish.
            take_over: the caller knows that a run of another host has ended, whatever it wrote lately.

        Raises:
            InputError: the path is taken, is a file or a mount point, or cannot be written to; another run writes
                to it, or has left what it had done so far; or a folder that handrefine did not make has the name
                of a temporary one.
        """
        target = path.expanduser().resolve()
        partial = partial_of(target)
        lock = RunLock.take(target, partial)
        try:
            _restore_interrupted_replacement(target)
            overwrite = overwrite or (resume and is_unfinished(target))
            refuse_unusable(target, overwrite=overwrite)
            for temporary in (partial, _aside(target)):
                refuse_foreign(temporary)
            if not take_over:
                refuse_living(partial)
            if resume:
                keep_what_goes_on(partial, target)
            else:
                refuse_unfinished(partial, overwrite=overwrite)
                if partial.exists():
                    shutil.rmtree(partial)
                partial.mkdir(parents=True)
            manifest.mark(partial)
        except OSError as error:
            lock.release()
            raise InputError(
                "the output folder cannot be made", where=target, found=error, fix="choose another folder"
            ) from error
        except BaseException:
            lock.release()
            raise
        return cls(target, partial, overwrite=overwrite, lock=lock)

    @property
    def layout(self) -> RunLayout:
        """Where to write what; after `commit`, where it is."""
        return RunLayout(self.target if self._committed else self.partial)

    def path(self, name: str) -> Path:
        """Where to write the file `name`, which may lie in a subfolder; after `commit`, where it is."""
        path = self.layout.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inside(self, name: str) -> "RunFolder":
        """A subfolder that is laid out like a run folder and is committed with this one. Close it after use."""
        inner = RunFolder(self.target / name, self.partial / name, overwrite=False)
        manifest.mark(inner.path(MARKER).parent)
        return inner

    def append_log(self, record: Mapping[str, object]) -> None:
        """Add one line to `log.jsonl`; it can be read at once by whoever follows the run.

        Where it cannot be written, e.g. because the disk is full for a while, the line is lost and not the run.
        """
        line = json.dumps(files.plain(record), allow_nan=False) + "\n"
        try:
            if self._log is None:
                self._log = self.layout.log.open("a", encoding="utf-8")
            self._log.write(line)
            self._log.flush()
        except OSError as error:
            log.warning("lines of %s are lost: %s", self.layout.log.name, error)
            self._close_log()

    def restored(self, records: Iterable[Mapping[str, object]]) -> bool:
        """Make the temporary folder anew where somebody has removed it; whether that was so.

        Args:
            records: of all iterations.
        """
        if (self.partial / MARKER).is_file():
            return False
        log.warning("%s was removed while the run went on: what can still be written is", self.partial)
        self._close_log()
        manifest.mark(self.path(MARKER).parent)
        for record in records:
            self.append_log(record)
        return True

    def write_json(self, name: str, value: object) -> None:
        files.write_json(self.path(name), value)

    def write_yaml(self, name: str, value: object) -> None:
        files.write_yaml(self.path(name), value)

    def commit(self) -> Path:
        """Give the complete folder its name. An overwritten one goes only after that. Repeating it does nothing.

        Raises:
            InputError: another program has put something there in the meantime, or files that no run wrote stand
                in the way of the run's; the temporary folder stays.
        """
        if self._committed:
            return self.target
        self._close_log()
        if not self.finished and _holds_finished_run(self.target):
            log.warning("an unfinished run replaces no finished one; it is in %s", self.partial)
            return self.partial
        old = _aside(self.target)
        replaces = self._overwrite and self.target.exists()
        try:
            manifest.write_manifests(self.partial)
            files.tree_to_disk(self.partial)
            if replaces:
                refuse_unusable(self.target, overwrite=True)  # it may have changed since the run began
                if in_the_way := manifest.clashes(self.target, self.partial):
                    raise FileExistsError("not written by a run: " + ", ".join(in_the_way))
                os.replace(self.target, old)
            os.replace(self.partial, self.target)
        except (OSError, InputError) as error:
            _restore_interrupted_replacement(self.target)
            raise InputError(
                "the finished run cannot take its name",
                where=self.target,
                found=error,
                fix=f"everything is in {self.partial}: move it where you want it",
            ) from error
        self._committed = True
        with suppress(OSError):  # it has its name already
            files.to_disk(self.target.parent)
        if replaces:
            _finish_replacement(old, self.target)
        if self.finished:
            forget_checkpoints(self.target)
        self.close()
        return self.target

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
                return
            self._close_log()
            if self._committed:
                return
            if worth_keeping(self.partial):
                log.error("the run did not finish; what it wrote so far is in %s", self.partial)
            else:
                shutil.rmtree(self.partial, ignore_errors=True)
        finally:
            self.close()

    def close(self) -> None:
        """Close the log, and let other runs write to the path."""
        self._close_log()
        if self._lock is not None:
            self._lock.release()

    def _close_log(self) -> None:
        if self._log is not None:
            with suppress(OSError):  # a line that could not be written has been told
                self._log.close()
            self._log = None


def _aside(target: Path) -> Path:
    """Where an overwritten folder waits while the new one takes its name."""
    return target.with_name(f".{target.name}.replaced")


def _restore_interrupted_replacement(target: Path) -> None:
    """Undo a replacement that stopped between its two renames; finish one that stopped after them."""
    old = _aside(target)
    if not (old / MARKER).is_file():
        return
    if not target.exists():
        os.replace(old, target)
    elif (target / MARKER).is_file():
        _finish_replacement(old, target)


def _finish_replacement(old: Path, target: Path) -> None:
    """Bring what no run wrote back to its place in the new run, and remove the rest of the overwritten one."""
    try:
        manifest.hand_over(old, target)
    except OSError as error:
        log.warning("files of the overwritten run stay in %s: %s", old, error)


def _holds_finished_run(target: Path) -> bool:
    return target.is_dir() and any(target.iterdir()) and not is_unfinished(target)

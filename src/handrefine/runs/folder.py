"""The folder of one run: it appears under its name complete, or not at all."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TextIO

from handrefine import files
from handrefine.errors import InputError

#: Every folder made here holds this file, and only a folder that holds it is ever overwritten.
MARKER = ".handrefine"
log = logging.getLogger(__name__)


class RunFolder:
    """A folder that is filled under a temporary name beside its own and takes its own name when it is complete.

    with RunFolder.create(path) as folder:
        folder.write_json("metrics.json", metrics)

    Leaving the block commits. An exception leaves the target as it was and keeps what was written so far in
    `.{name}.partial`, which the next run to the same path replaces. Two runs to one path at a time are not
    guarded against.
    """

    def __init__(self, target: Path, partial: Path, *, overwrite: bool) -> None:
        """Use `create`."""
        self.target, self.partial = target, partial
        self._overwrite = overwrite
        self._log: TextIO | None = None
        self._committed = False

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False) -> "RunFolder":
        """Make the temporary folder.

        Args:
            path: must not exist yet, or be an empty folder. Links are followed.
            overwrite: it may also be a folder of an earlier run, which stays until the new one is complete.

        Raises:
            InputError: the path is taken, is a file or a mount point, or cannot be written to.
        """
        target = path.expanduser().resolve()
        _restore_interrupted_replacement(target)
        _refuse_unusable(target, overwrite=overwrite)
        partial = target.with_name(f".{target.name}.partial")
        try:
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
            (partial / MARKER).write_text("This folder was written by handrefine.\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                "the output folder cannot be made", where=target, found=error, fix="choose another folder"
            ) from error
        return cls(target, partial, overwrite=overwrite)

    def path(self, name: str) -> Path:
        """Where to write the file `name`, which may lie in a subfolder; after `commit`, where it is."""
        path = (self.target if self._committed else self.partial) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inside(self, name: str) -> "RunFolder":
        """A subfolder that is laid out like a run folder and is committed with this one. Close it after use."""
        inner = RunFolder(self.target / name, self.partial / name, overwrite=False)
        inner.path(MARKER).write_text("This folder was written by handrefine.\n", encoding="utf-8")
        return inner

    def append_log(self, record: Mapping[str, object]) -> None:
        """Add one line to `log.jsonl`; it can be read at once by whoever follows the run."""
        if self._log is None:
            self._log = self.path("log.jsonl").open("a", encoding="utf-8")
        self._log.write(json.dumps(files.plain(record), allow_nan=False) + "\n")
        self._log.flush()

    def write_json(self, name: str, value: object) -> None:
        files.write_json(self.path(name), value)

    def write_yaml(self, name: str, value: object) -> None:
        files.write_yaml(self.path(name), value)

    def commit(self) -> Path:
        """Give the complete folder its name. An overwritten one goes only after that. Repeating it does nothing.

        Raises:
            InputError: another program has put something there in the meantime; the temporary folder stays.
        """
        if self._committed:
            return self.target
        self.close()
        old = _aside(self.target)
        try:
            if self._overwrite and self.target.exists():
                os.replace(self.target, old)
            os.replace(self.partial, self.target)
        except OSError as error:
            _restore_interrupted_replacement(self.target)
            raise InputError(
                "the finished run cannot take its name",
                where=self.target,
                found=error,
                fix=f"everything is in {self.partial}: move it where you want it",
            ) from error
        self._committed = True
        shutil.rmtree(old, ignore_errors=True)
        return self.target

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
            return
        self.close()
        if not self._committed:
            log.error("the run did not finish; what it wrote so far is in %s", self.partial)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
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
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(old, target)


def _refuse_unusable(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(
            "the output path is a file", where=target, expected="a new folder", fix="choose another folder"
        )
    if os.path.ismount(target):
        raise InputError(
            "the output folder is a mount point, which cannot be replaced as a whole",
            where=target,
            fix=f"choose a folder inside it, such as {target / 'run'}",
        )
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise InputError(
            "the output folder is not empty", where=target, fix="choose another folder, or add --overwrite"
        )
    if not (target / MARKER).is_file():
        raise InputError(
            "the output folder was not written by handrefine, so --overwrite leaves it alone",
            where=target,
            fix="choose another folder, or remove it yourself",
        )

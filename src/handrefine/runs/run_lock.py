"""Two runs with one output folder exclude each other: `.NAME.lock` beside it, held while the process lives."""

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from handrefine.errors import InputError
from handrefine.runs.owner import owner_of


class RunLock:
    """Held from `take` to `release`.

    The operating system lets go of a lock whose process has died, however it died: no lock is ever stale.
    """

    def __init__(self, file: FileLock) -> None:
        """Use `take`."""
        self._file = file

    @classmethod
    def take(cls, target: Path, work: Path, *, patience_s: float = 0.0) -> "RunLock":
        """Take the lock of an output folder, at once or not at all.

        Args:
            work: the folder in which a run to `target` writes as it goes; its owner is told where it is locked.
            patience_s: how long to wait for whoever has it.

        Raises:
            InputError: another run has it, or it cannot be written.
        """
        place = target.with_name(f".{target.name}.lock")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = FileLock(place, timeout=0)
            file.acquire(timeout=patience_s)
        except Timeout:
            if not os.path.lexists(place):  # some file systems take no new names without a word
                raise InputError(
                    "the output folder cannot be made", where=target, fix="choose another folder"
                ) from None
            raise InputError(
                "another run writes to this output folder",
                where=target,
                found=owner_of(work) or "a process that has not told its name",
                fix="wait for it to end, or choose another output folder",
            ) from None
        except (OSError, NotImplementedError) as error:
            raise InputError(
                "the output folder cannot be made", where=target, found=error, fix="choose another folder"
            ) from error
        return cls(file)

    def release(self) -> None:
        """Let go of it; its file goes. Repeating it does nothing."""
        if self._file.is_locked:
            with suppress(OSError):  # before it is let go, so that nobody else's file goes; Windows keeps it
                os.unlink(self._file.lock_file)
            self._file.release()

"""Whose an unfinished run is: process, host and start stand in the mark of its folder until it is complete."""

import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handrefine.errors import InputError
from handrefine.io.text_files import read_json
from handrefine.runs.layout import MARKER

#: A run on another host that has written nothing for so long is taken for dead: it writes every iteration.
SILENT_S = 600.0


@dataclass(frozen=True)
class Owner:
    """A process that runs or ran. started: local time, ISO 8601."""

    process: int
    host: str
    started: str

    @classmethod
    def this_process(cls) -> "Owner":
        return cls(os.getpid(), platform.node(), datetime.now().astimezone().isoformat(timespec="seconds"))

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}, begun {self.started}"


def owner_of(folder: Path) -> Owner | None:
    """Whom the mark of an unfinished run names; None where there is none or it cannot be read."""
    try:
        note = read_json(folder / MARKER)["owner"]
        return Owner(int(note["process"]), str(note["host"]), str(note["started"]))
    except (InputError, OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def last_sign(folder: Path) -> float:
    """When something below a folder was written last, in seconds since 1970; 0 where there is nothing."""
    times = [0.0]
    for at, _, names in os.walk(folder):
        for name in (".", *names):
            with suppress(OSError):
                times.append(os.lstat(os.path.join(at, name)).st_mtime)
    return max(times)


def refuse_living(folder: Path) -> None:
    """For a folder whose lock could be taken: a run of this host is dead, another host's may hold one unseen here.

    Raises:
        InputError: a run on another host has written to it lately.
    """
    owner = owner_of(folder)
    if owner is None or owner.host == platform.node():
        return
    silent_s = max(time.time() - last_sign(folder), 0.0)
    if silent_s < SILENT_S:
        raise InputError(
            "a run on another host may still write to this output folder",
            where=folder,
            found=f"{owner}, which last wrote {silent_s:.0f} s ago",
            fix=f"if you know that it has ended: --take-over; else try again in {SILENT_S - silent_s:.0f} s",
        )

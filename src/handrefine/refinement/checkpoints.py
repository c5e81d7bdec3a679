"""Checkpoints of a running refinement: written between iterations, and read by the process that goes on."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handrefine.errors import InputError
from handrefine.refinement.fingerprint import refuse_foreign
from handrefine.state import State, read_state, write_state

log = logging.getLogger(__name__)
#: Counts changes of what a state holds. Others are refused: they mean something else.
VERSION = 1
#: The latest checkpoint, and the one before it.
LATEST, BEFORE = "latest.npz", "before.npz"


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a refinement keeps its state.

    Attributes:
        folder: is made where it is missing; holds `latest.npz` and `before.npz`.
        every_s: seconds between two checkpoints within a stage. The end of a stage is always kept.
        most_share: of the time, which checkpoints within a stage may take; where they are slow, they become rarer.
        resume: go on from the checkpoint that is there, if one is.
    """

    folder: Path
    every_s: float = 30.0
    most_share: float = 0.02
    resume: bool = False


class CheckpointFiles:
    """Reads and writes the checkpoints of one run.

    Args:
        own: the run's `fingerprint`.
    """

    def __init__(self, settings: Checkpoints, own: State, clock: Callable[[], float] = time.perf_counter) -> None:
        self._settings, self._own, self._clock = settings, own, clock
        self._due_s = clock() + settings.every_s

    def load(self, load_state: Callable[[State], None]) -> None:
        """Hand the latest state on where the run is to go on; the one before where that is damaged.

        Raises:
            InputError: there are checkpoints, and none of them can be used.
        """
        paths = [path for path in map(self._settings.folder.joinpath, (LATEST, BEFORE)) if path.is_file()]
        if not self._settings.resume or not paths:
            return
        refused: list[InputError] = []
        for path in paths:
            try:
                state = self._read(path)
            except InputError as error:
                log.warning("%s", error)
                refused.append(error)
                continue
            _load(load_state, state, path)
            log.info("the run goes on after %d iterations", state["number"])
            return
        raise refused[0]

    def keep(self, state: Callable[[], State], must: bool) -> None:
        """Write a checkpoint if it is time to, or it must be; a disk that is full costs the checkpoint only."""
        began_s = self._clock()
        if not must and began_s < self._due_s:
            return
        try:
            self._write(state())
        except OSError as error:
            log.warning("no checkpoint could be written: %s", error)
        now_s = self._clock()
        self._due_s = now_s + max(self._settings.every_s, (now_s - began_s) / self._settings.most_share)

    def _read(self, path: Path) -> dict[str, Any]:
        found = read_state(path)
        version = found.get("version")
        if version != VERSION:
            newer = isinstance(version, int) and version > VERSION
            raise InputError(
                f"a checkpoint was written by {'a newer' if newer else 'another'} version of handrefine",
                where=path,
                expected=f"version {VERSION} of checkpoints",
                found=version,
                fix="resume with the handrefine that wrote it, or begin anew with another --out",
            )
        try:
            refuse_foreign(found["run"], self._own, path)
            return found["state"]
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError("a file holds no checkpoint", where=path, found=error) from error

    def _write(self, state: State) -> None:
        folder = self._settings.folder
        folder.mkdir(parents=True, exist_ok=True)
        waiting = folder / "next.npz"
        write_state(waiting, {"version": VERSION, "run": self._own, "state": state})
        latest = folder / LATEST
        if latest.exists():
            os.replace(latest, folder / BEFORE)
        os.replace(waiting, latest)


def _load(load_state: Callable[[State], None], state: State, path: Path) -> None:
    try:
        load_state(state)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise InputError(
            "a checkpoint does not fit the run", where=path, found=f"{type(error).__name__}: {error}"
        ) from error

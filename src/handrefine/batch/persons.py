"""One person over many clips: the first clips find what is theirs, all later ones hold it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.person import mean_person, read_person, write_person
from handrefine.runs.reader import open_run

Sharing = Literal["none", "sequential"]


def check_sharing(config: Config, person_clips: int) -> None:
    """Raises:
    InputError: runs of these settings would find no person, or are given one; or no clip is to give it.
    """
    if person_clips < 1:
        raise InputError("somebody must give the person", where="--person-clips", expected="1", found=person_clips)
    if config.surface.person is not None or not config.surface.modes:
        raise InputError(
            "the first clips must find a surface of the person",
            where="--share-person sequential",
            expected="surface.modes above 0, and no surface.person",
            found=f"{config.surface.modes}, {config.surface.person}",
            fix="add --surface.modes 60",
        )


class Givers:
    """Says of every clip whom it waits for.

    Args:
        wanted: how many clips give a person.
        known: tasks that have their places already.
    """

    def __init__(self, wanted: int, known: Iterable[BatchTask] = ()) -> None:
        self._wanted = wanted
        self._names: dict[str, list[str]] = {}
        for task in known:
            if task.subject is not None and not task.after:
                self._names.setdefault(task.subject, []).append(task.name)

    def ordered(self, task: BatchTask, subject: str | None) -> BatchTask:
        """The task, told whom to wait for; where nobody knows its subject, its sequence is a person of its own."""
        subject = f"sequence {task.sequence}" if subject is None else subject
        names = self._names.setdefault(subject, [])
        if len(names) < self._wanted:
            names.append(task.name)
            return replace(task, subject=subject)
        return replace(task, subject=subject, after=tuple(names))


def person_for(folder: BatchFolder, task: BatchTask) -> Path | None:
    """The file of the person that the task is to hold: the mean of what its givers found.

    It is written once, so that a task which is begun again holds the same one. None where the task waits for
    nobody, or none of its givers has found a person.

    Raises:
        InputError: what a giver has found cannot be read.
    """
    path = folder.person(task.name).resolve()
    if not path.is_file():
        done = [name for name in task.after if folder.state(name).status == "done"]
        hands = [hand.layout.person for name in done for hand in open_run(folder.run(name)).hands]
        found = [read_person(person) for person in hands if person.is_file()]
        if not found:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        write_person(path, mean_person(found))
    return path


def told_free(task: BatchTask, config: Config) -> str | None:
    """That a finished run holds nobody, although it was to."""
    if not task.after or config.surface.person is not None:
        return None
    return f"refined without the person, whom {', '.join(task.after)} could not give"

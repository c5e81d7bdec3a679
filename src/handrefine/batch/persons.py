"""One person over many clips: the first clips find what is theirs, alone or as one; later ones hold it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.person import mean_person, read_person, write_person
from handrefine.runs.reader import open_run

Sharing = Literal["none", "sequential", "joint"]
#: How many clips find the person where nothing is said.
USUAL_CLIPS: dict[Sharing, int] = {"none": 1, "sequential": 1, "joint": 4}


def check_sharing(config: Config, person_clips: int) -> None:
    """Raises:
    InputError: runs of these settings are given a person already, or no clip is to give it.
    """
    if person_clips < 1:
        raise InputError("somebody must give the person", where="--person-clips", expected="1", found=person_clips)
    if config.surface.person is not None:
        raise InputError(
            "the first clips must find the person",
            where="--share-person",
            expected="no surface.person",
            found=config.surface.person,
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


def joined(tasks: Sequence[BatchTask], wanted: int, known: Iterable[BatchTask] = ()) -> list[BatchTask]:
    """Tasks of one subject: those that find the person as one, and the rest, which wait for them.

    Args:
        tasks: in their order; of several sequences each gives its first clips before any gives more.
        wanted: how many are done as one.
        known: tasks that have their places already: then all of `tasks` wait for those.
    """
    finders = [of.begun_by for of in known if of.subject == tasks[0].subject and not of.after]
    if finders:
        return [replace(of, after=(finders[0],)) for of in tasks]
    numbers = dict.fromkeys((of.sequence for of in tasks), 0)
    turn: dict[str, int] = {}
    for of in tasks:
        turn[of.name] = numbers[of.sequence]
        numbers[of.sequence] += 1
    names = tuple(of.name for of in sorted(tasks, key=lambda of: turn[of.name])[:wanted])
    together = names if len(names) > 1 else ()
    return [replace(of, together=together) if of.name in names else replace(of, after=names[:1]) for of in tasks]


def person_for(folder: BatchFolder, task: BatchTask) -> Path | None:
    """The file of the person that the task is to hold: the mean of what its givers found.

    It is written once, so that a task which is begun again holds the same one. A task that was to be done with
    others, and is done when these are already, holds what they found. None where the task waits for nobody, or
    none of its givers has found a person.

    Raises:
        InputError: what a giver has found cannot be read.
    """
    path = folder.person(task.name).resolve()
    if not path.is_file():
        givers = (*task.after, *task.together)
        names = dict.fromkeys(name for giver in givers for name in (giver, *folder.task(giver).together))
        done = [name for name in names if folder.state(name).status == "done"]
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

"""Which tasks a dataset makes: sequences, cut into clips that overlap, each with some cameras held out."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.batch.folder import BatchTask
from handrefine.batch.persons import USUAL_CLIPS, Givers, Sharing, check_sharing, joined
from handrefine.config import Config
from handrefine.config_files import config_to_mapping
from handrefine.datasets.registry import AUTO, list_sequences, read_dataset
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.frame_ranges import as_choice, frames_named
from handrefine.io.safe_paths import as_file_name
from handrefine.preprocess.camera_selection import automatic_count
from handrefine.preprocess.fill import gaps
from handrefine.refinement.check import check_together
from handrefine.sequence import FrameId, FrameIndex, HandSequence, Side, called
from handrefine.task import Task

#: Why a sequence that can be read has no tasks.
NOTHING_WANTED = "no wanted hand at any wanted frame"
#: As many cameras must be left to fit where cameras are held out without being named.
FEWEST_TO_FIT = 3


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """What a batch is asked for; all but who works on it.

    Attributes:
        data, format, frames, hands, cameras, follow_links, config: as of a `Task`; hands that a clip has not are
            left out of its task.
        sequences: pattern of the names of sequences (`*` also matches `/`); all where nothing is said.
        held_out: names of cameras, or `auto:N` alone for N cameras of each clip in rotation, where at least 3 are
            left to fit.
        clip, overlap: frames of a clip, and frames that it shares with the next one.
        share_person: whether the first clips of a person give what is theirs to all later ones; joint: these first
            ones are refined in one optimisation.
        person_clips: how many clips give it; as `USUAL_CLIPS` says when missing.
    """

    data: Path
    format: str = AUTO
    sequences: str | None = None
    frames: str | None = None
    hands: tuple[Side, ...] = ("right", "left")
    cameras: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ("auto:1",)
    clip: int = 10
    overlap: int = 2
    share_person: Sharing = "none"
    person_clips: int | None = None
    follow_links: bool = False
    config: Config = field(default_factory=Config)

    def __post_init__(self) -> None:
        if self.clip < 1 or not 0 <= self.overlap < self.clip:
            raise InputError(
                "clips must be longer than their overlap",
                where="--clip, --overlap",
                found=f"{self.clip} frames that overlap by {self.overlap}",
            )
        if self.share_person != "none":
            check_sharing(self.config, self.givers)
            if self.share_person == "joint":
                check_together(self.config)

    @property
    def givers(self) -> int:
        """How many clips find a person."""
        return USUAL_CLIPS[self.share_person] if self.person_clips is None else self.person_clips

    def to_mapping(self) -> dict[str, Any]:
        """In mappings, lists, strings, numbers and None only."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return {**values, "data": str(self.data.resolve()), "config": config_to_mapping(self.config)}


@dataclass(frozen=True)
class Planned:
    """What one sequence gives: its tasks, or the reason why it has none; and what its reader noticed.

    subject: whose hands it shows; None where the dataset does not say.
    """

    sequence: str
    tasks: tuple[BatchTask, ...] = ()
    findings: tuple[Finding, ...] = ()
    reason: str | None = None
    subject: str | None = None


def plan(
    settings: BatchSettings, names: Sequence[str] | None = None, known: Iterable[BatchTask] = ()
) -> Iterator[Planned]:
    """Every chosen sequence of the dataset, one after the other. One that cannot be read stops no other.

    Args:
        names: these sequences; as the settings say when missing.
        known: tasks that were planned before.

    Raises:
        InputError: the dataset has no sequence of such a name.
    """
    if settings.share_person == "joint":
        yield from _joined(list(_each(settings, names, None)), settings.givers, list(known))
    else:
        yield from _each(
            settings, names, Givers(settings.givers, known) if settings.share_person == "sequential" else None
        )


def _each(settings: BatchSettings, names: Sequence[str] | None, givers: Givers | None) -> Iterator[Planned]:
    for name in _chosen(settings) if names is None else names:
        try:
            sequence = read_dataset(
                settings.data, format=settings.format, sequence=name, follow_links=settings.follow_links
            )
            tasks = tuple(_tasks(settings, name, sequence))
            if givers is not None:
                tasks = tuple(givers.ordered(of, sequence.subject) for of in tasks)
            reason = None if tasks else NOTHING_WANTED
            yield Planned(name, tasks, sequence.findings, reason, sequence.subject)
        except (InputError, OSError, MemoryError) as error:
            yield Planned(name, reason=one_line(error))


def _joined(every: Sequence[Planned], wanted: int, known: Sequence[BatchTask]) -> Iterator[Planned]:
    """The same, with a place for every task; where nobody knows its subject, a sequence is a person of its own."""
    of_subject: dict[str, list[BatchTask]] = {}
    for of in every:
        subject = f"sequence {of.sequence}" if of.subject is None else of.subject
        of_subject.setdefault(subject, []).extend(replace(task, subject=subject) for task in of.tasks)
    placed = {task.name: task for tasks in of_subject.values() if tasks for task in joined(tasks, wanted, known)}
    for of in every:
        yield replace(of, tasks=tuple(placed[task.name] for task in of.tasks))


def _chosen(settings: BatchSettings) -> list[str]:
    names = list_sequences(settings.data, settings.format)
    chosen = [name for name in names if settings.sequences is None or fnmatchcase(name, settings.sequences)]
    if not chosen:
        raise InputError(
            "the dataset has no such sequence" if names else "the dataset has no sequence",
            where=settings.data,
            expected=some(names) if names else None,
            found=settings.sequences,
        )
    return chosen


def clips(frames: Sequence[FrameId], length: int, overlap: int) -> list[tuple[FrameId, ...]]:
    """The frames in pieces of at most `length`, as even as they come, each sharing `overlap` with the next."""
    if len(frames) <= length:
        return [tuple(frames)]
    count = -(-(len(frames) - overlap) // (length - overlap))
    starts = np.linspace(0, len(frames) - overlap, count + 1).round().astype(int)
    return [tuple(frames[a : b + overlap]) for a, b in pairwise(starts)]


def one_line(error: BaseException) -> str:
    """An error in one line."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text if isinstance(error, InputError) and text else f"{type(error).__name__}: {text}"


def _tasks(settings: BatchSettings, name: str, sequence: HandSequence) -> Iterator[BatchTask]:
    wanted = frames = list(sequence.frames)
    if settings.frames is not None:
        wanted = frames = frames_named(settings.frames, frames, f"{settings.data}, {name}")
    annotated = _annotated(sequence, settings.hands)
    frames = [frame for frame in frames if any(frame in of for of in annotated.values())]
    if not frames:
        return
    for number, annotated_clip in enumerate(clips(frames, settings.clip, settings.overlap)):
        clip = _with_gaps(annotated_clip, wanted, settings)
        held_out = _held_out(settings, _pool(settings, sequence), number)
        place = {k for k, frame in enumerate(sequence.frames) if frame in clip}
        fitted = set(_pool(settings, sequence)) - set(held_out)
        out_name = f"{as_file_name(name.replace('/', '+'))}_{clip[0]}-{clip[-1]}"
        task = Task(
            data=settings.data.resolve(),
            out=Path(out_name),
            format=settings.format,
            sequence=name,
            hands=tuple(side for side, of in annotated.items() if set(clip) & of),
            cameras=settings.cameras,
            held_out=held_out,
            frames=as_choice(clip),
            follow_links=settings.follow_links,
            config=settings.config,
        )
        views = sum(k in place and camera in fitted for k, camera in sequence.images)
        yield BatchTask(out_name, {**task.to_mapping(), "out": None}, name, clip, views)


def _with_gaps(clip: Sequence[FrameId], wanted: Sequence[FrameId], settings: BatchSettings) -> tuple[FrameId, ...]:
    """The frames of a clip, and those between them that are filled."""
    place = {frame: FrameIndex(k) for k, frame in enumerate(wanted)}
    known = [place[frame] for frame in clip]
    return tuple(wanted[k] for k in sorted([*known, *gaps(known, settings.config.hand.fill)]))


def _annotated(sequence: HandSequence, hands: Sequence[Side]) -> dict[Side, set[FrameId]]:
    """The frames at which the dataset says something of each hand."""
    found: dict[Side, set[FrameId]] = {}
    for side in hands:
        if side not in sequence.annotations:
            continue
        of = sequence.annotations[side]
        count = len(sequence.frames)
        valid = np.zeros(count, dtype=bool)
        if of.mano is not None or of.mano_pca is not None:
            valid |= np.ones(count, dtype=bool) if of.mano_valid is None else of.mano_valid
        if of.joints_world is not None:
            valid |= np.ones(count, dtype=bool) if of.joint_valid is None else of.joint_valid.any(axis=1)
        found[side] = {frame for frame, known in zip(sequence.frames, valid, strict=True) if known}
    return found


def _pool(settings: BatchSettings, sequence: HandSequence) -> list[str]:
    """The cameras that may be fitted or held out."""
    automatic = len(settings.cameras) == 1 and automatic_count(settings.cameras[0]) is not None
    return (
        called(settings.cameras, sequence.cameras) if settings.cameras and not automatic else [*sequence.cameras]
    )


def _held_out(settings: BatchSettings, pool: list[str], number: int) -> tuple[str, ...]:
    """Cameras that are named, or some in rotation: every camera judges as many clips as any other."""
    count = automatic_count(settings.held_out[0]) if len(settings.held_out) == 1 else None
    if count is None:
        return settings.held_out
    if len(pool) - count < FEWEST_TO_FIT:
        return ()
    return tuple(pool[(number * count + k) % len(pool)] for k in range(count))


def differences(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """The names of settings in which two batches differ."""
    return sorted(name for name in {*asked, *stored} if asked.get(name) != stored.get(name))

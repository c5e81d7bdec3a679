"""From a dataset's folder to a run folder: read, refine, evaluate, write, report. Nothing here prints."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from handrefine.config import Config
from handrefine.config_files import config_from_mapping, config_to_mapping
from handrefine.datasets.registry import AUTO, read_dataset
from handrefine.errors import InputError
from handrefine.evaluation.frame_verdict import verdicts_by_hand
from handrefine.evaluation.held_out import measure_holdout, nothing_measured, split_off
from handrefine.evaluation.run_metrics import hand_metrics, together
from handrefine.evaluation.verdict import against
from handrefine.frame_ranges import frames_named
from handrefine.io.safe_paths import refuse_overlap
from handrefine.preprocess.camera_selection import automatic_count, cameras_that_see_most
from handrefine.progress import Progress, SilentProgress
from handrefine.refinement.checkpoints import Checkpoints
from handrefine.refinement.collected_warnings import added, collected_warnings
from handrefine.refinement.refine import refine
from handrefine.refinement.session import Session
from handrefine.refinement.watchers import Monitor
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.report import write_report
from handrefine.runs.disk_space import refuse_full_disk
from handrefine.runs.folder import RunFolder
from handrefine.runs.judgement import HeldOutReport, Judgement
from handrefine.runs.live import remove_live_views, write_live_views
from handrefine.runs.provenance import ReadDigest, provenance
from handrefine.runs.result import Metrics, RunResult
from handrefine.runs.unfinished import forget_checkpoints, read_task_file, unfinished_run
from handrefine.runs.writer import RunWriter, write_configuration
from handrefine.sequence import HandSequence, Side, frame_positions

log = logging.getLogger(__name__)
#: Seconds between checkpoints that come never: a century.
_LONGEST_S = 3e9


@dataclass(frozen=True, kw_only=True)
class Task:
    """One job, whole: what `handrefine refine` is asked for. It can be stored and sent as JSON.

    Attributes:
        data: the dataset's folder.
        out: the run folder to create.
        format, sequence: layout of the dataset and name of the sequence, see `read_dataset`.
        hands: which hands are refined, in one optimisation.
        cameras: names, or `auto:N` alone for the N that see most of the hands; all where there are none.
        held_out: names of cameras that are kept from the fit and judge it.
        frames: which of the sequence's frames, see `frames_named`; all where nothing is said.
        overwrite: replace what an earlier run wrote to `out`.
        follow_links: read through symbolic links that lead out of `data`.
        checkpoint_every_s: seconds between two checkpoints, from which a run can be gone on with.
        accept_worse: write hands back in the dataset's format that are worse than the annotation.
        config: all settings.
    """

    data: Path
    out: Path
    format: str = AUTO
    sequence: str | None = None
    hands: tuple[Side, ...] = ("right",)
    cameras: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    frames: str | None = None
    overwrite: bool = False
    follow_links: bool = False
    checkpoint_every_s: float = 30.0
    accept_worse: bool = False
    config: Config = field(default_factory=Config)

    def to_mapping(self) -> dict[str, Any]:
        """The task in mappings, lists, strings, numbers and None only."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {name: str(values[name]) for name in ("data", "out")}
        values |= {name: list(values[name]) for name in ("hands", "cameras", "held_out")}
        return {**values, "config": config_to_mapping(self.config)}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: object = None) -> "Task":
        """Inverse of `to_mapping`; what is missing is as by default, and so is what `config` does not name.

        Raises:
            InputError: a name is unknown, missing, or has a value of the wrong kind.
        """
        known = {f.name for f in fields(cls)}
        unknown, missing = set(values) - known, {"data", "out"} - set(values)
        if unknown or missing:
            raise InputError(
                "a task has unknown names" if unknown else "a task lacks names",
                where=where,
                expected=", ".join(sorted(known)),
                found=", ".join(sorted(unknown)) or "no " + ", ".join(sorted(missing)),
            )
        given: dict[str, Any] = dict(values)
        for name in ("hands", "cameras", "held_out"):
            if name in given:
                given[name] = _names(name, given[name], where)
        if not given.get("hands", ("right",)) or set(given.get("hands", ())) - set(get_args(Side)):
            raise InputError("no such hands", where=where, expected="a list of right, left", found=given["hands"])
        given["config"] = given.get("config", {})
        kinds: dict[str, type | tuple[type, ...]] = {
            **dict.fromkeys(("data", "out"), (str, Path)),
            "format": str,
            **dict.fromkeys(("sequence", "frames"), (str, type(None))),
            **dict.fromkeys(("overwrite", "follow_links", "accept_worse"), bool),
            "checkpoint_every_s": (int, float),
            "config": Mapping,
        }
        for name, kind in kinds.items():
            if name in given and not isinstance(given[name], kind):
                raise InputError(f"{name} of a task has the wrong kind of value", where=where, found=given[name])
        if not 0 <= given.get("checkpoint_every_s", 0) <= _LONGEST_S:
            raise InputError(
                "checkpoint_every_s of a task is no time", where=where, found=given["checkpoint_every_s"]
            )
        given |= {name: Path(given[name]) for name in ("data", "out")}
        return cls(**{**given, "config": config_from_mapping(given["config"], where=where)})


def _names(name: str, value: object, where: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(of, str) for of in value):
        raise InputError(f"{name} of a task is no list of names", where=where, found=value)
    return tuple(value)


def run_task(
    task: Task,
    *,
    progress: Progress | None = None,
    monitors: Mapping[Side, Monitor] | None = None,
    stop: Callable[[], bool] | None = None,
    resume: bool = False,
    take_over: bool = False,
    command: Sequence[str] = (),
) -> tuple[RunResult, Metrics]:
    """Do the task; returns its result and what its `metrics.json` holds.

    Annotations are written before anything is evaluated, and the report last. A hand that is worse than the
    annotation is not written in the dataset's format (`against` of the metrics). `unwritten`: what else failed.

    Args:
        monitors: further figures of a hand's geometry for the log.
        stop: asked before every iteration; once it says so, the run ends there. Its result says `unfinished`, and
            is written like any other, but replaces no finished run.
        resume: go on from checkpoints that an earlier run of the task (`unfinished_task`) has left in the folder.
        take_over: a run of another host to the same folder has ended, although it wrote there lately.
        command: what the user typed, for the record.

    Raises:
        InputError: `data` and `out` lie in one another, `out` is taken or another run writes to it, or holds a run
            that could be resumed; or as `read_dataset` and `refine`.
    """
    refuse_overlap(task.data, task.out)
    progress = SilentProgress() if progress is None else progress
    again = {"overwrite": task.overwrite, "resume": resume, "take_over": take_over}
    with closing(progress), RunFolder.create(task.out, **again) as folder:
        progress.part("reading")
        sequence, held_out = read_task(task)
        refuse_full_disk(folder.layout.root, sequence, len(task.hands), task.config)
        digest = ReadDigest()
        sequence = digest.watched(sequence)
        held_out = None if held_out is None else digest.watched(held_out)
        if not folder.layout.task.exists():
            folder.write_json(folder.layout.task.name, replace(task, data=task.data.resolve()).to_mapping())
        write_configuration(folder, sequence, task.hands, task.config)
        session = Session(
            record=folder.append_log,
            checkpoints=Checkpoints(folder.layout.checkpoints, float(task.checkpoint_every_s), resume=resume),
            show=partial(write_live_views, folder.layout),
            **({} if stop is None else {"stop": stop}),
        )
        result = refine(sequence, task.hands, task.config, progress=progress, monitors=monitors, session=session)
        remove_live_views(folder.layout)
        folder.finished = result.unfinished is None
        result, judgement = _write(folder, result, sequence, held_out, progress, accept_worse=task.accept_worse)
        folder.write_json(folder.layout.provenance.name, provenance(digest, command))
    return result, judgement.together


def unfinished_task(out: Path) -> Task | None:
    """The task of a run that was stopped or killed, to be given to `run_task` with `resume`; None if it finished.

    Args:
        out: where the run is, or was to be.

    Raises:
        InputError: there is no such run, or what it was asked for cannot be read.
    """
    target = out.expanduser().resolve()
    layout = unfinished_run(target)
    if layout is None:
        forget_checkpoints(target)
        return None
    return replace(Task.from_mapping(read_task_file(layout), where=layout.task), out=out)


def save_run(
    result: RunResult, sequence: HandSequence, out: Path, *, overwrite: bool = False, accept_worse: bool = False
) -> Path:
    """Write a run folder, as `handrefine refine` does.

    Args:
        sequence: what was refined.
        accept_worse: as in `Task`.

    Raises:
        InputError: the folder exists and must not be overwritten.
    """
    start_mitsuba(result.config.render.variant)  # writes the light
    with RunFolder.create(out, overwrite=overwrite) as folder:
        write_configuration(folder, sequence, result.sides, result.config)
        for record in result.records:
            folder.append_log(record)
        _write(folder, result, sequence, None, SilentProgress(), accept_worse=accept_worse)
    return folder.target


def read_task(task: Task) -> tuple[HandSequence, HandSequence | None]:
    """The video of the cameras to fit, and that of the held-out ones if there are any.

    Raises:
        InputError: as `read_dataset`, `frames_named`, `split_off` and `cameras_that_see_most`.
    """
    count = automatic_count(task.cameras[0]) if len(task.cameras) == 1 else None
    named = None if count is not None or not task.cameras else [*dict.fromkeys(task.cameras + task.held_out)]
    sequence = read_dataset(
        task.data,
        format=task.format,
        sequence=task.sequence,
        cameras=named,
        follow_links=task.follow_links,
    )
    if task.frames is not None:
        place, of = frame_positions(sequence.frames), f"{task.data}, {sequence.name}"
        sequence = sequence.with_frames([place[f] for f in frames_named(task.frames, sequence.frames, of)])
    held_out = None
    if task.held_out:
        sequence, held_out = split_off(sequence, task.held_out)
    if count is not None:
        sequence = sequence.with_cameras(cameras_that_see_most(sequence, task.hands, count, task.config))
    return sequence, held_out


def _write(
    folder: RunFolder,
    result: RunResult,
    sequence: HandSequence,
    held_out: HandSequence | None,
    progress: Progress,
    *,
    accept_worse: bool,
) -> tuple[RunResult, Judgement]:
    """Write everything; the result comes back with what was warned of and could not be written meanwhile."""
    writer, layout = RunWriter(folder, result, sequence), folder.layout
    with collected_warnings() as warnings:
        writer.write_annotations()
        progress.part("figures")
        judgement = judge(result, sequence, held_out)
        progress.part("files")
        writer.write_dataset([side for side in result.sides if accept_worse or not judgement.against[side]])
        writer.write_findings(judgement)
        writer.write_warnings(added(result.warnings, warnings))
        progress.part("report")
        with writer.costs_only_itself(layout.report):
            write_report(layout.root)
        writer.write_warnings(added(result.warnings, warnings))
    return replace(result, warnings=added(result.warnings, warnings), unwritten=tuple(writer.unwritten)), judgement


def judge(result: RunResult, sequence: HandSequence, held_out: HandSequence | None) -> Judgement:
    """All figures of a result that need no truth."""
    by_hand: dict[Side, Metrics] = {side: hand_metrics(result, side, sequence) for side in result.sides}
    report = None if held_out is None else _held_out_report(result, held_out)
    reasons: dict[Side, list[str]] = {
        side: against(result, result.hand(side), None if report is None else report.by_hand[side])
        for side in result.sides
    }
    for reason in dict.fromkeys(reason for of in reasons.values() for reason in of):
        log.warning("%s", reason)
    for side, of in by_hand.items():
        held = {} if report is None else {"holdout": report.by_hand[side]["mean"]}
        by_hand[side] = {**of, **held, "against": reasons[side]}
    held = {} if report is None else {"holdout": report.together["mean"]}
    everything = {**together(by_hand), **held, "against": [reason for of in reasons.values() for reason in of]}
    return Judgement(everything, by_hand, report, reasons, verdicts_by_hand(result, report))


def _held_out_report(result: RunResult, held_out: HandSequence) -> HeldOutReport:
    try:
        return measure_holdout(result, held_out)
    except InputError as error:
        log.warning("the held-out cameras tell nothing: %s", error)
        return nothing_measured(result.sides, list(held_out.cameras))

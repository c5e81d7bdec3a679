"""From a dataset's folder to a run folder: read, refine, evaluate, write, report. Nothing here prints."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError, VideoError
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
from handrefine.refinement.refine import Video, refine, refine_together
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
from handrefine.task import Task

log = logging.getLogger(__name__)


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
    progress = SilentProgress() if progress is None else progress
    with closing(progress), _new_folder(task, resume=resume, take_over=take_over) as folder:
        progress.part("reading")
        run = BegunRun.of(task, folder)
        session = run.session(stop, resume=resume)
        result = refine(
            run.sequence, task.hands, task.config, progress=progress, monitors=monitors, session=session
        )
        result, judgement = run.complete(result, progress, command)
    return result, judgement.together


def run_together(tasks: Sequence[Task], *, resume: bool = False, take_over: bool = False) -> None:
    """Do tasks of one person in one optimization (`refine_together`), each into a run folder of its own.

    Args:
        tasks: all with the settings of the first, whose folder holds the checkpoints of all and is completed last.
        resume, take_over: as for `run_task`.

    Raises:
        VideoError: one of them cannot be done; the others could be without it.
        InputError: as `refine_together`.
    """
    progress, begun = SilentProgress(), list[BegunRun]()
    with ExitStack() as folders:
        for position, task in enumerate(tasks):
            try:
                folder = _new_folder(task, resume=resume, take_over=take_over)
                begun.append(BegunRun.of(task, folders.enter_context(folder)))
            except InputError as error:
                raise VideoError(error, position) from error
        videos = [
            Video(sequence=run.sequence, hands=run.task.hands, session=run.session(None, resume=resume))
            for run in begun
        ]
        results = refine_together(videos, tasks[0].config, progress=progress)
        for run, result in zip(begun, results, strict=True):
            run.complete(result, progress)


def _new_folder(task: Task, *, resume: bool, take_over: bool) -> RunFolder:
    """The run folder, apart from the dataset."""
    refuse_overlap(task.data, task.out)
    return RunFolder.create(task.out, overwrite=task.overwrite, resume=resume, take_over=take_over)


@dataclass(frozen=True, eq=False)
class BegunRun:
    """A task with the folder that it writes to and what it has read.

    digest: of everything that is read from now on.
    """

    task: Task
    folder: RunFolder
    sequence: HandSequence
    held_out: HandSequence | None
    digest: ReadDigest

    @classmethod
    def of(cls, task: Task, folder: RunFolder) -> "BegunRun":
        """Read the video, and write down what is asked for.

        Raises:
            InputError: as `read_task`, or the disk is full.
        """
        sequence, held_out = read_task(task)
        refuse_full_disk(folder.layout.root, sequence, len(task.hands), task.config)
        digest = ReadDigest()
        sequence = digest.watched(sequence)
        held_out = None if held_out is None else digest.watched(held_out)
        run = cls(task, folder, sequence, held_out, digest)
        run._write_request()
        return run

    def _write_request(self) -> None:
        """What is asked for, by which the run can be gone on with."""
        folder, task = self.folder, self.task
        if not folder.layout.task.exists():
            folder.write_json(folder.layout.task.name, replace(task, data=task.data.resolve()).to_mapping())
        write_configuration(folder, self.sequence, task.hands, task.config)

    def session(self, stop: Callable[[], bool] | None, *, resume: bool) -> Session:
        """Records, checkpoints and live views go to the folder."""
        layout = self.folder.layout
        return Session(
            record=self.folder.append_log,
            checkpoints=Checkpoints(layout.checkpoints, float(self.task.checkpoint_every_s), resume=resume),
            show=partial(write_live_views, layout),
            **({} if stop is None else {"stop": stop}),
        )

    def complete(
        self, result: RunResult, progress: Progress, command: Sequence[str] = ()
    ) -> tuple[RunResult, Judgement]:
        """Write and judge what was found."""
        folder, accept_worse = self.folder, self.task.accept_worse
        if folder.restored(result.records):
            self._write_request()
        remove_live_views(folder.layout)
        folder.finished = result.unfinished is None
        result, judgement = _write(
            folder, result, self.sequence, self.held_out, progress, accept_worse=accept_worse
        )
        folder.write_json(folder.layout.provenance.name, provenance(self.digest, command))
        return result, judgement


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

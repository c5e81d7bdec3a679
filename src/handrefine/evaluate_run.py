"""Judging a finished run again: against the truth, or on cameras that its fit never saw. Nothing here prints."""

import logging
from collections.abc import Sequence
from pathlib import Path

from handrefine.datasets.registry import AUTO, read_dataset
from handrefine.errors import InputError
from handrefine.evaluation.against_truth import metrics_with_truth
from handrefine.evaluation.held_out import measure_holdout
from handrefine.evaluation.run_metrics import together
from handrefine.io.files import write_json
from handrefine.report import report_of_finished_run
from handrefine.runs.judgement import HeldOutReport
from handrefine.runs.manifest import note_written, written_files
from handrefine.runs.reader import HandRun, Run, open_run
from handrefine.runs.result import Metrics
from handrefine.runs.writer import write_held_out
from handrefine.sequence import HandSequence, Side
from handrefine.synthetic.truth_file import load_truth

log = logging.getLogger(__name__)


def evaluate_against_truth(path: Path, truth_file: Path) -> Metrics:
    """Fill in what `metrics.json` lacks without a truth, and write the report anew; returns all figures.

    Raises:
        InputError: the run or the truth is missing or broken, or they are of different videos.
    """
    run = open_run(path)
    by_hand: dict[Side, Metrics] = {}
    for hand in run.hands:
        truth = load_truth(truth_file, hand.side)
        by_hand[hand.side] = metrics_with_truth(
            hand.annotation, hand.texture, hand.texture_seen, truth, hand.metrics, truth_file
        )
    return _write_metrics(run, by_hand, {**run.metrics, **together(by_hand)})


def evaluate_on_cameras(
    path: Path, data: Path, cameras: Sequence[str] = (), *, format: str = AUTO, sequence: str | None = None
) -> HeldOutReport:
    """Judge a run on cameras that its fit never saw, as if they had been held out; the report is written anew.

    Args:
        data, format, sequence: the dataset that was refined, see `read_dataset`.
        cameras: their names; all that the fit did not use where there are none.

    Raises:
        InputError: the fit used one of the cameras or there is none that it did not, the dataset lacks a refined
            frame, or as `open_run`, `read_dataset` and `measure_holdout`.
    """
    run = open_run(path)
    fitted = [camera.name for camera in run.hands[0].annotation.cameras]
    if seen := [name for name in cameras if name in fitted]:
        raise InputError(
            "the fit has seen these cameras, so that they cannot judge it",
            where=path,
            found=", ".join(seen),
            fix="name cameras that it has not seen, or none for all of these",
        )
    video = read_dataset(data, format=format, sequence=sequence, cameras=list(cameras) or None)
    held_out = _without(fitted, video, run)
    report = measure_holdout(run.result(images=False), held_out)
    for hand in run.hands:
        _replace_held_out(hand, report)
    if len(run.hands) > 1:
        write_json(run.layout.held_out, report.together)
        note_written(run.layout.root, run.layout.held_out.name)
    by_hand: dict[Side, Metrics] = {
        hand.side: {**hand.metrics, "holdout": report.by_hand[hand.side]["mean"]} for hand in run.hands
    }
    everything = {**run.metrics, **together(by_hand), "holdout": report.together["mean"]}
    _write_metrics(run, by_hand, everything)
    return report


def _without(fitted: Sequence[str], video: HandSequence, run: Run) -> HandSequence:
    """The video of the cameras that the fit did not use."""
    refined = run.configuration.get("sequence", video.name)
    if video.name != refined:
        log.warning("the run is of %s, it is judged on %s", refined, video.name)
    unseen = [name for name in video.cameras if name not in fitted]
    if not unseen:
        raise InputError(
            "the fit has seen every camera of the dataset",
            where=run.layout.root,
            found=", ".join(fitted),
            fix="refine with --holdout NAMES, or with fewer --cameras",
        )
    return video.with_cameras(unseen)


def _replace_held_out(hand: HandRun, report: HeldOutReport) -> None:
    """Write what the cameras say of one hand, in the place of what others said before."""
    layout = hand.layout
    for written in written_files(layout.root):
        if layout.root / written.parent == layout.held_out_overlays:
            (layout.root / written).unlink()
    for name in write_held_out(layout, report.by_hand[hand.side], report.views[hand.side]):
        note_written(layout.root, name)


def _write_metrics(run: Run, by_hand: dict[Side, Metrics], everything: Metrics) -> Metrics:
    """Bring the figures of every hand and of the run up to date, and the report with them."""
    for hand in run.hands:
        write_json(hand.layout.metrics, by_hand[hand.side])
    if len(run.hands) > 1:
        write_json(run.layout.metrics, everything)
    report_of_finished_run(run.layout.root)
    return everything

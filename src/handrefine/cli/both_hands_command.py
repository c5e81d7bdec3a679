"""The run folder of two hands refined together: a complete one for each, and what both have in common."""

import json
from collections.abc import Mapping
from pathlib import Path

from handrefine.cli.tables import MEASURES
from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.evaluation.held_out import measure_holdout
from handrefine.evaluation.run_metrics import metrics_without_truth
from handrefine.files import write_json
from handrefine.progress import Progress, Record
from handrefine.refinement.refine import Refinement, refine_hands
from handrefine.refinement.stages import Monitor
from handrefine.report import report_of_finished_run
from handrefine.runs.folder import RunFolder
from handrefine.runs.writer import resolved_configuration, save_holdout, save_refinement, write_dataset
from handrefine.sequence import HandSequence, Side, sides_of

BOTH = sides_of("both")
#: Figures of a run as a whole, the same for every hand.
_OF_RUN = ("seconds", "iterations", "seed", "version", "variant")
Metrics = Mapping[str, object]


def run_both(
    sequence: HandSequence,
    config: Config,
    out: Path,
    *,
    held_out: HandSequence | None = None,
    overwrite: bool = False,
    progress: Progress,
    monitors: Mapping[Side, Monitor] | None = None,
) -> tuple[dict[Side, Refinement], dict[str, object]]:
    """Refine both hands together into one run folder; returns the results and what its `metrics.json` holds.

    `right/` and `left/` are complete run folders of one hand each.

    Raises:
        InputError: as `refine_hands`, or the run folder is taken.
    """
    with RunFolder.create(out, overwrite=overwrite) as folder:
        folder.write_yaml("config.yaml", resolved_configuration(sequence, "both", config))
        try:
            refinements = refine_hands(
                sequence, BOTH, config, progress=progress, record=folder.append_log, monitors=monitors
            )
        finally:
            progress.close()
        metrics: dict[Side, dict[str, object]] = {
            side: metrics_without_truth(refinement) for side, refinement in refinements.items()
        }
        together: dict[str, object] = {}
        if held_out is not None:
            report = measure_holdout(list(refinements.values()), held_out)
            together["holdout"] = report.together["mean"]
            folder.write_json("holdout.json", report.together)
            for index, side in enumerate(refinements):
                metrics[side]["holdout"] = report.by_hand[index]["mean"]
                save_holdout(report, index, folder, f"{side}/")
        for side, refinement in refinements.items():
            inner = folder.inside(side)
            inner.write_yaml("config.yaml", resolved_configuration(sequence, side, config))
            for record in refinement.records:
                inner.append_log(_of_hand(record, side))
            save_refinement(refinement, metrics[side], inner)
            inner.close()
        write_dataset(sequence, refinements, folder.path("dataset"))
        together |= joint_metrics(metrics)
        folder.write_json("metrics.json", together)
        folder.write_json("warnings.json", refinements["right"].warnings)
        report_of_finished_run(folder.partial)
    return refinements, together


def complete_metrics(run: Path, metrics: Mapping[Side, Metrics]) -> dict[str, object]:
    """Bring `metrics.json` of a run of both hands up to date with theirs; returns its contents."""
    try:
        together = json.loads((run / "metrics.json").read_text(encoding="utf-8")) | joint_metrics(metrics)
    except (OSError, ValueError) as error:
        raise InputError("the figures of a run cannot be read", where=run / "metrics.json", found=error) from error
    write_json(run / "metrics.json", together)
    return together


def joint_metrics(metrics: Mapping[Side, Metrics]) -> dict[str, object]:
    """The means over the hands, under the names of one hand's figures, and every hand's own under `hands`."""
    first = next(iter(metrics.values()))
    means = {name: _mean_change([of.get(name) for of in metrics.values()]) for name in MEASURES if name in first}
    own = {
        side: {name: value for name, value in of.items() if name not in (*_OF_RUN, "per_view", "per_frame")}
        for side, of in metrics.items()
    }
    return means | {name: first.get(name) for name in _OF_RUN} | {"hands": own}


def _mean_change(values: list[object]) -> dict[str, float | None]:
    changes = [value for value in values if isinstance(value, Mapping)]

    def mean(moment: str) -> float | None:
        known = [change[moment] for change in changes if change.get(moment) is not None]
        return sum(known) / len(known) if known else None

    return {moment: mean(moment) for moment in ("before", "after")}


def _of_hand(record: Record, side: Side) -> Record:
    """The record with one hand's figures in the place of both hands' means."""
    hands = record.get("hands")
    own = hands.get(side, {}) if isinstance(hands, Mapping) else {}
    return {name: value for name, value in record.items() if name != "hands"} | dict(own)

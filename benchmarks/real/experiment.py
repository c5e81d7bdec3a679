"""Leave one camera out: refine without it, then ask it. Nothing is tuned for a view."""

import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from benchmarks.harness import Outcome, finish
from benchmarks.provenance import provenance
from benchmarks.readme import update_section
from benchmarks.real.figures import Sample, claims, table, yardstick_table
from benchmarks.real.line_drawings import Drawing, view_drawings
from benchmarks.real.yardstick.judge import judge, with_own_calibration
from benchmarks.real.yardstick.yardstick import View, load
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.datasets.registry import AUTO, read_dataset
from handrefine.evaluation.held_out import measure_holdout, split_off
from handrefine.evaluation.masks import MaskAgreement, mean_agreement
from handrefine.evaluation.run_metrics import hand_metrics
from handrefine.io.image_files import write_image
from handrefine.refinement.refine import refine
from handrefine.runs.overlay import contact_sheet
from handrefine.runs.result import RunResult
from handrefine.sequence import Hands, HandSequence, Side, sides_of

#: Views beside one another in the sheet of drawings.
COLUMNS = 2


@dataclass(frozen=True, kw_only=True)
class Options:
    """Leave-one-camera-out over a real capture."""

    capture: Annotated[Path, Positional]
    """The dataset's folder."""
    hand: Hands = "both"
    """Which hands to refine."""
    config: Path | None = None
    """A YAML file of settings; the defaults without."""
    only: tuple[str, ...] = ()
    """Hold out these cameras only."""
    together: int = 1
    """Hold out so many cameras at a time: fewer runs, of which each fits fewer cameras."""
    yardstick: Path | None = None
    """Outlines drawn by hand of the capture's first frame, by which the table judges instead of the masks:
    `yardstick/real_multiview.json`."""
    format: str = AUTO
    """Layout of the dataset."""
    sequence: str | None = None
    """Which of the dataset's sequences."""
    quick: bool = False
    """The first two cameras only; the README is left alone."""
    gate: bool = False
    """Exit with status 1 where a target is missed."""
    results: Path = Path(__file__).parents[1] / "results"
    """Folder of the JSON file and the drawings."""


def perform(options: Options, console: Console) -> int:
    """The exit status: 1 where `--gate` finds a target missed."""
    whole = read_dataset(options.capture, format=options.format, sequence=options.sequence)
    config = Config() if options.config is None else load_config(options.config)
    made = provenance()  # what is edited while this runs is not what is measured
    names = list(options.only or whole.cameras)[: 2 if options.quick else None]
    samples: list[Sample] = []
    drawings: list[Drawing] = []
    status = 0
    outlines = {} if options.yardstick is None else load(options.yardstick)
    for group in groups(names, options.together):
        started = time.perf_counter()
        found, drawn = _without(whole, group, options.hand, config, outlines)
        samples += found
        drawings += drawn
        console.print(f"{', '.join(group)} held out: {time.perf_counter() - started:.0f} s")
        # What is there so far outlives a run that breaks.
        status = _save(options, samples, drawings, config.seed)
    if not options.quick:
        told = yardstick_table(samples) if outlines else table(samples)
        text = f"{told}\n\nMachine: {made['machine']}. Commit: {made['commit']}."
        update_section(options.results.parent / "README.md", "real", text)
    return status


def _save(options: Options, samples: list[Sample], drawings: list[Drawing], seed: int) -> int:
    """The figures and the sheet of drawings; the exit status."""
    options.results.mkdir(parents=True, exist_ok=True)
    stem = "real" + ("-quick" if options.quick else "")
    if drawings:
        write_image(options.results / f"{stem}.png", contact_sheet(drawings, columns=COLUMNS))
    chosen = Namespace(quick=options.quick, gate=options.gate, results=options.results)
    return finish("real", Outcome(claims(samples), samples, [seed]), chosen)


def groups(names: Sequence[str], together: int) -> list[list[str]]:
    """The cameras that are held out at a time, far apart in the list, as mostly around the hand."""
    count = -(-len(names) // together)
    return [list(names[k::count]) for k in range(count)]


def _without(
    whole: HandSequence, names: Sequence[str], hand: Hands, config: Config, outlines: Mapping[str, View]
) -> tuple[list[Sample], list[Drawing]]:
    """Every hand's figures in each held-out camera and in those that were fitted, and the views as lines."""
    fitted, held_out = split_off(whole, names)
    result = refine(fitted, sides_of(hand), config)
    samples: list[Sample] = []
    for name in names:
        alone = held_out.with_cameras([name])
        report = measure_holdout(result, alone)
        camera, outline = alone.cameras[name], outlines.get(name)
        drawn = {} if outline is None else judge(result, camera, outline)
        if outline is not None:
            mended = judge(result, with_own_calibration(result, camera, outline), outline)
            for side, figures in drawn.items():
                figures["contour_px"]["own_calibration"] = mended[side]["contour_px"]["after"]
        samples += [
            {
                "held_out": name,
                "hand": side,
                "seconds": result.seconds,
                "mean": report.by_hand[side]["mean"],
                "yardstick": drawn.get(side),
                "fitted": _fitted(result, side, fitted),
                "weights": {of.camera.name: of.weight for of in result.cameras},
                "picture_scales": {of.camera.name: of.picture_scale for of in result.cameras},
            }
            for side in sides_of(hand)
        ]
    return samples, view_drawings(result.hands, held_out)


def _fitted(
    result: RunResult, side: Side, sequence: HandSequence
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Mask precision and recall before and after, by fitted camera."""
    views = hand_metrics(result, side, sequence)["per_view"]
    if not isinstance(views, list):
        raise TypeError("the views' figures are a list")
    by_camera: dict[str, dict[str, dict[str, float | None]]] = {}
    for camera in sequence.cameras:
        of_camera = [view for view in views if view["camera"] == camera]
        by_camera[camera] = {"mask_precision": {}, "mask_recall": {}}
        for moment in ("before", "after"):
            mean = mean_agreement(
                [MaskAgreement(v["mask_precision"][moment], v["mask_recall"][moment]) for v in of_camera]
            )
            by_camera[camera]["mask_precision"][moment] = mean.precision
            by_camera[camera]["mask_recall"][moment] = mean.recall
    return by_camera

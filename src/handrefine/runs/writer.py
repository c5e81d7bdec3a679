"""Writing a result into its run folder."""

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import handrefine
from handrefine.config import Config
from handrefine.config_files import config_to_mapping
from handrefine.errors import InputError
from handrefine.io.files import write_json, write_yaml
from handrefine.io.image_files import write_image
from handrefine.person import write_person
from handrefine.runs.annotation_file import write_annotation_npz
from handrefine.runs.appearance_files import (
    write_camera_weights,
    write_colour_transforms,
    write_environment,
    write_seen_texels,
    write_texture,
)
from handrefine.runs.folder import RunFolder
from handrefine.runs.judgement import HeldOutView, Judgement
from handrefine.runs.layout import RunLayout
from handrefine.runs.loss_curves import loss_curves
from handrefine.runs.overlay import contact_sheet, fitted_sheet, held_out_sheet
from handrefine.runs.result import HandResult, Metrics, RunAnnotation, RunResult
from handrefine.runs.view_files import write_views
from handrefine.runs.write_back import write_dataset
from handrefine.sequence import HandSequence, Side

log = logging.getLogger(__name__)
#: Rows of the image that shows some views of the run at a glance.
OVERVIEW_ROWS = 6


def write_configuration(folder: RunFolder, sequence: HandSequence, sides: Sequence[Side], config: Config) -> None:
    """Write what is needed to repeat a run; its `config` is a valid file for `--config`."""
    document = {
        "version": handrefine.__version__,
        "sequence": sequence.name,
        "hands": list(sides),
        "cameras": list(sequence.cameras),
        "frames": list(sequence.frames),
        "config": config_to_mapping(config),
    }
    write_yaml(folder.layout.config, document)


class RunWriter:
    """Writes one result into one folder: first what cost most, the annotations; what is only looked at comes last.

    A result of several hands gets a complete folder for each hand within. `folder` holds the configuration and the
    log already, which are written as the run goes. What cannot be written costs only itself, but for the
    annotations.

    Args:
        sequence: what was refined, for the annotations in the dataset's format.

    Attributes:
        unwritten: what could not be written, relative to the folder.
    """

    def __init__(self, folder: RunFolder, result: RunResult, sequence: HandSequence) -> None:
        self._folder, self._result, self._sequence = folder, result, sequence
        self.unwritten: list[str] = []
        #: Every hand's folder and its share of the result.
        self._own: dict[Side, tuple[RunFolder, RunResult]] = {}
        for side in result.sides:
            alone = len(result.hands) == 1
            self._own[side] = (folder, result) if alone else (folder.inside(side), result.alone(side))

    def write_annotations(self) -> None:
        """The refined hands: `annotation.npz` of each.

        Raises:
            InputError: one cannot be written there; it is in a temporary folder instead, if that can be.
        """
        for side, (folder, alone) in self._own.items():
            _write_or_rescue(folder.layout.annotation, alone.annotation(side))

    def write_dataset(self, sides: Collection[Side]) -> None:
        """The refined hands in the dataset's own format; those of `sides` alone, which are an improvement."""
        for side, (folder, alone) in self._own.items():
            if side in sides:
                with self.costs_only_itself(folder.layout.dataset):
                    write_dataset(alone, self._sequence, folder.layout.dataset)
        if len(self._own) > 1 and set(sides) == set(self._own):
            with self.costs_only_itself(self._folder.layout.dataset):
                write_dataset(self._result, self._sequence, self._folder.layout.dataset)

    def write_findings(self, judgement: Judgement) -> None:
        """Everything else but the warnings and the report."""
        several, report = len(self._own) > 1, judgement.held_out
        for side, (folder, alone) in self._own.items():
            layout = folder.layout
            if several:
                with self.costs_only_itself(layout.log):
                    write_configuration(folder, self._sequence, [side], alone.config)
                    for record in alone.records:
                        folder.append_log(record)
                    folder.close()
            if (person := alone.hand(side).person) is not None:
                with self.costs_only_itself(layout.person):
                    write_person(layout.person, person)
            with self.costs_only_itself(layout.metrics):
                write_json(layout.metrics, judgement.by_hand[side])
            if side in judgement.verdicts:
                with self.costs_only_itself(layout.verdict):
                    write_json(layout.verdict, {"frames": judgement.verdicts[side]})
            self._write_appearance(layout, alone)
        if several:
            with self.costs_only_itself(self._folder.layout.metrics):
                write_json(self._folder.layout.metrics, judgement.together)
                if report is not None:
                    write_json(self._folder.layout.held_out, report.together)
        for side, (folder, alone) in self._own.items():
            if report is not None:
                with self.costs_only_itself(folder.layout.held_out_overlays):
                    write_held_out(folder.layout, report.by_hand[side], report.views[side])
            self._write_images(folder.layout, alone)

    def _write_appearance(self, layout: RunLayout, result: RunResult) -> None:
        """Textures, light, colours and weights of the cameras; result: of one hand."""
        (hand,) = result.hands
        with self.costs_only_itself(layout.texture):
            _write_textures(layout, hand)
        with self.costs_only_itself(layout.environment):
            write_environment(layout, result.environment, result.light_coefficients)
        with self.costs_only_itself(layout.cameras):
            names = [of.camera.name for of in result.cameras]
            matrices = [of.colour_transform for of in result.cameras]
            write_colour_transforms(layout.colours, names, np.stack(matrices))
            write_camera_weights(layout.cameras, result.cameras)

    def _write_images(self, layout: RunLayout, result: RunResult) -> None:
        """What people look at: the curves, every view's images, an overlay a view, and a few at a glance."""
        (hand,) = result.hands
        with self.costs_only_itself(layout.loss_curves):
            if result.records:
                loss_curves(result.records, layout.loss_curves)
        with self.costs_only_itself(layout.views):
            write_views(layout, hand.views)
        with self.costs_only_itself(layout.overlays):
            _write_overlays(layout, hand)

    def write_warnings(self, warnings: Mapping[str, int]) -> None:
        """What was warned of, in the run's folder and in every hand's."""
        for folder in {self._folder, *(folder for folder, _ in self._own.values())}:
            with self.costs_only_itself(folder.layout.warnings):
                write_json(folder.layout.warnings, warnings)

    @contextmanager
    def costs_only_itself(self, path: Path) -> Iterator[None]:
        """Whatever goes wrong in the block is told, and costs `path` alone."""
        try:
            yield
        except Exception as error:
            self.unwritten.append(path.relative_to(self._folder.layout.root).as_posix())
            told = "%s could not be written; the run goes on without it"
            if isinstance(error, OSError | InputError):
                log.warning(f"{told}: %s", self.unwritten[-1], error)
            else:
                log.exception(told, self.unwritten[-1])


def write_held_out(layout: RunLayout, figures: Metrics, views: Sequence[HeldOutView]) -> list[str]:
    """Write what held-out cameras say of one hand, and its views; returns what was written, below the root."""
    write_json(layout.held_out, figures)
    written = [layout.held_out]
    layout.held_out_overlays.mkdir(exist_ok=True)
    for view in views:
        path = layout.held_out_overlay(view.frame, view.camera)
        write_image(path, held_out_sheet(view))
        written.append(path)
    return [path.relative_to(layout.root).as_posix() for path in written]


def _write_textures(layout: RunLayout, hand: HandResult) -> None:
    """The texture and what is seen of it; where frames are independent, that of the first, and every frame's."""
    write_texture(layout.texture, hand.textures[0])
    write_seen_texels(layout.texture_seen, hand.textures_seen[0])
    if len(hand.textures) > 1:
        layout.textures.mkdir(exist_ok=True)
        for frame, texture, seen in zip(hand.frames, hand.textures, hand.textures_seen, strict=True):
            write_texture(layout.texture_of(frame), texture)
            write_seen_texels(layout.texture_seen_of(frame), seen)
    layout.stage_textures.mkdir(exist_ok=True)
    for stage, texture in hand.stage_textures.items():
        write_texture(layout.stage_texture(stage), texture)


def _write_overlays(layout: RunLayout, hand: HandResult) -> None:
    layout.overlays.mkdir(exist_ok=True)
    sheets = []
    for view in hand.views:
        sheets.append(fitted_sheet(view))
        write_image(layout.overlay(view.frame, view.camera), sheets[-1])
    if sheets:
        step = max(1, len(sheets) // OVERVIEW_ROWS)
        write_image(layout.overview, contact_sheet(sheets[::step][:OVERVIEW_ROWS], columns=1))


def _write_or_rescue(path: Path, annotation: RunAnnotation) -> None:
    try:
        write_annotation_npz(path, annotation)
    except OSError as error:
        rescued = Path(tempfile.mkdtemp(prefix="handrefine-"), path.name)
        try:
            write_annotation_npz(rescued, annotation)
            fix = f"it is in {rescued} instead: move it from there before that folder is emptied"
        except OSError:
            fix = None
        raise InputError("the refined annotation cannot be written", where=path, found=error, fix=fix) from error

"""Writing a refinement into its run folder."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

import handrefine
from handrefine.config import Config
from handrefine.config_files import config_to_mapping
from handrefine.output.annotation_file import HandState, RunAnnotation, write_annotation_npz
from handrefine.output.artifacts import write_colour_transforms, write_environment, write_texture
from handrefine.output.curves import loss_curves
from handrefine.output.overlay import Rendered, contact_sheet, view_sheet
from handrefine.output.pixels import write_picture
from handrefine.output.report import report_of_finished_run
from handrefine.output.run_folder import RunFolder
from handrefine.output.view_pictures import (
    HAND,
    NOT_HAND,
    UNKNOWN,
    ViewEntry,
    view_stem,
    write_view,
    write_view_index,
)
from handrefine.refine.annotation import of_another_model
from handrefine.refine.holdout import HoldoutReport
from handrefine.refine.measure import metrics_without_truth
from handrefine.refine.observations import Observations
from handrefine.refine.refinement import Refinement, State
from handrefine.sequence import HandAnnotation, Hands, HandSequence, Side

log = logging.getLogger(__name__)
#: Rows of the picture that shows some views of the run at a glance.
OVERVIEW_ROWS = 6


def save_run(refinement: Refinement, out: Path, *, overwrite: bool = False) -> Path:
    """Write a run folder, as `handrefine refine` does.

    Raises:
        InputError: the folder exists and must not be overwritten.
    """
    with RunFolder.create(out, overwrite=overwrite) as folder:
        job = refinement.job
        folder.write_yaml("config.yaml", resolved_configuration(job.sequence, refinement.hand.side, job.config))
        for record in refinement.records:
            folder.append_log(record)
        save_refinement(refinement, metrics_without_truth(refinement), folder)
        report_of_finished_run(folder.partial)
    return folder.target


def resolved_configuration(sequence: HandSequence, hands: Hands, config: Config) -> dict[str, object]:
    """What is needed to repeat a run; its `config` is a valid file for `--config`."""
    return {
        "version": handrefine.__version__,
        "sequence": sequence.name,
        "hand": hands,
        "cameras": list(sequence.cameras),
        "frames": list(sequence.frames),
        "config": config_to_mapping(config),
    }


def save_refinement(refinement: Refinement, metrics: Mapping[str, object], folder: RunFolder) -> None:
    """Write everything but the configuration and the log, which are written as the run goes, and the report."""
    job = refinement.job
    folder.write_json("metrics.json", metrics)
    folder.write_json("warnings.json", refinement.warnings)
    write_annotation_npz(folder.path("annotation.npz"), run_annotation(refinement))
    write_dataset(job.sequence, {refinement.hand.side: refinement}, folder.path("dataset"))
    _write_textures(refinement, folder)
    for stage, texture in refinement.stage_textures.items():
        write_texture(folder.path(f"texture_stages/{stage}.png"), texture)
    write_environment(
        folder.path("environment.exr").parent,
        refinement.environment,
        refinement.light_coefficients,
        job.config.light.order,
    )
    write_colour_transforms(
        folder.path("colour.json"), refinement.observations.camera_names, refinement.colour_transforms
    )
    folder.write_json("cameras.json", _camera_entries(refinement))
    if refinement.records:
        loss_curves(refinement.records, folder.path("loss.png"))
    _write_views(refinement, folder)


def save_holdout(report: HoldoutReport, index: int, folder: RunFolder, inside: str = "") -> None:
    """Write `holdout.json` and `holdout/`, one picture a view, of one of the refined hands."""
    folder.write_json(f"{inside}holdout.json", report.by_hand[index])
    for (frame, camera), sheet in report.sheets[index].items():
        write_picture(folder.path(f"{inside}holdout/{view_stem(frame, camera)}.png"), sheet)


def write_dataset(sequence: HandSequence, refinements: Mapping[Side, Refinement], folder: Path) -> None:
    """The refined annotations in the dataset's own format, where it has a writer."""
    if sequence.write_back is None:
        return
    hands = [refinement.hand for refinement in refinements.values()]
    if any(hand.open_hand and of_another_model(hand, sequence) for hand in hands):
        log.warning("no dataset/ is written: its users expect parameters of the official MANO model")
        return
    refined: dict[Side, HandAnnotation] = {
        side: refinement.annotation() for side, refinement in refinements.items()
    }
    sequence.write_back(sequence, refined, folder)


def _write_textures(refinement: Refinement, folder: RunFolder) -> None:
    """`texture.png` and what is seen of it; where instants are independent, that of the first, and all of them."""
    write_texture(folder.path("texture.png"), refinement.textures[0])
    seen = np.repeat(refinement.textures_seen[0, ..., None], 3, axis=-1)
    write_picture(folder.path("texture_seen.png"), seen.astype(np.uint8) * 255)
    if len(refinement.textures) > 1:
        for frame, texture in zip(refinement.frames, refinement.textures, strict=True):
            write_texture(folder.path(f"textures/{frame}.png"), texture)


def _camera_entries(refinement: Refinement) -> list[dict[str, object]]:
    """How far each camera was believed, and by how much its calibration was turned where that was refined."""
    rotations = refinement.job.model.rotations
    turned = None if rotations is None else 1e3 * rotations.rotations_cam().detach().cpu().numpy()
    return [
        {
            "camera": trust.camera,
            "weight": trust.weight,
            "agreement": trust.agreement,
            "visible_share": trust.visible_share,
            "reason": trust.reason,
            **({} if turned is None else {"rotation_cam_mrad": turned[k]}),
        }
        for k, trust in enumerate(refinement.camera_trusts)
    ]


def run_annotation(refinement: Refinement) -> RunAnnotation:
    """The run's result without its pictures."""
    job = refinement.job

    def state(of: State) -> HandState:
        geometry = of.geometry
        return HandState(of.parameters, geometry.verts_world.cpu().numpy(), geometry.joints_world.cpu().numpy())

    return RunAnnotation(
        side=refinement.hand.side,
        frames=refinement.frames,
        before=state(refinement.before),
        after=state(refinement.after),
        topology=refinement.hand.topology,
        cameras=tuple(job.sequence.cameras.values()),
        views=refinement.observations.keys,
        hand_model=refinement.hand.name,
    )


def _write_views(refinement: Refinement, folder: RunFolder) -> None:
    """Every view's pictures, one sheet of them a view, and a few sheets at a glance."""
    views = refinement.observations.views
    run = folder.path(".handrefine").parent

    def rendered(state: State) -> list[Rendered]:
        prediction = state.prediction
        pictures = views.split(prediction.coverage), views.split(prediction.hand_rgb)
        return [(coverage.cpu().numpy(), rgb.cpu().numpy()) for coverage, rgb in zip(*pictures, strict=True)]

    images = [image.cpu().numpy() for image in views.split(refinement.observations.image)]
    labels = [label.cpu().numpy() for label in views.split(_label_shades(refinement.observations))]
    sheets, entries = [], _view_entries(refinement)
    for entry, image, label, before, after in zip(
        entries, images, labels, rendered(refinement.before), rendered(refinement.after), strict=True
    ):
        write_view(run, entry, image, label, before, after)
        sheet = view_sheet(image, before, after)
        write_picture(folder.path(f"overlays/{entry.stem}.png"), sheet)
        sheets.append(sheet)
    write_view_index(run, entries)
    step = max(1, len(sheets) // OVERVIEW_ROWS)
    write_picture(folder.path("overview.png"), contact_sheet(sheets[::step][:OVERVIEW_ROWS], columns=1))


def _view_entries(refinement: Refinement) -> list[ViewEntry]:
    return [
        ViewEntry(
            refinement.frames[frame],
            camera,
            (window.x0_px, window.y0_px, window.x1_px, window.y1_px),
            (window.camera.width, window.camera.height),
        )
        for (frame, camera), window in zip(
            refinement.observations.keys, refinement.observations.windows, strict=True
        )
    ]


def _label_shades(observations: Observations) -> torch.Tensor:
    """What the silhouette term was told of every pixel, in the shades of a label picture."""
    known, hand = observations.silhouette_weight > 0, observations.hand_share > 0.5
    return torch.where(known, torch.where(hand, HAND, NOT_HAND), UNKNOWN).to(torch.uint8)

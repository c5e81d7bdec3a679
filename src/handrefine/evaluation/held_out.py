"""Cameras that the fit never saw: how a user knows, without truth, that the result is better."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from handrefine.errors import InputError
from handrefine.evaluation.contours import contour_distance_px, judged_contour_region
from handrefine.evaluation.masks import mask_agreement
from handrefine.evaluation.photometric import photometric_error
from handrefine.evaluation.run_metrics import covered_in_full, joints_of_other_px
from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations
from handrefine.refinement.refine import FINAL_SEED, Refinement, final_settings, views_around
from handrefine.runs.overlay import view_sheet
from handrefine.sequence import HandSequence

log = logging.getLogger(__name__)
Picture = UInt8[np.ndarray, "_ _ 3"]
#: What is told of every camera, before and after.
FIGURES = ("mask_precision", "mask_recall", "contour_distance_px", "photometric_error")
Figures = Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class HoldoutReport:
    """What the held-out cameras say.

    Attributes:
        together: the contents of `holdout.json`, means over the hands:
            `{"cameras": [{"camera", "frame": null, figure: {"before", "after"}, ...}, ...], "mean": {...}}`.
        by_hand: the same of every hand.
        sheets: of every hand, its views in the held-out cameras by (frame number, camera): contours before and
            after over the image, the image, and the renders before any camera's colours.
    """

    together: dict[str, object]
    by_hand: list[dict[str, object]]
    sheets: list[dict[tuple[int, str], Picture]]


@dataclass(frozen=True, eq=False)
class _Rendered:
    """One hand at one end of the refinement, in the views of the held-out cameras around it.

    hand_rgb: of all hands over black, before any camera's colours. covered: by this hand.
    """

    geometry: HandGeometry
    hand_rgb: Float[Tensor, "pixel 3"]
    covered: Float[Tensor, " pixel"]


def split_off(sequence: HandSequence, names: Sequence[str]) -> tuple[HandSequence, HandSequence]:
    """The video of the cameras to fit, and that of the held-out ones.

    Raises:
        InputError: a name is not a camera of this sequence, or none would be left to fit.
    """
    held_out = sequence.with_cameras(names)
    rest = [name for name in sequence.cameras if name not in names]
    if not rest:
        raise InputError(
            "no camera is left to fit", where="holdout " + ",".join(names), fix="hold out fewer cameras"
        )
    return sequence.with_cameras(rest), held_out


def measure_holdout(refinements: Sequence[Refinement], held_out: HandSequence) -> HoldoutReport:
    """What held-out cameras say of every hand that was refined, and of all of them together.

    Nothing of a held-out camera reaches the fit; of all that is compared here only that camera's own colour
    transform is fitted to its images, anew for either state. Figures are means over a camera's frames, and null
    where there is nothing to tell: without masks that is all but the photometric error.
    """
    by_hand, sheets = zip(*(_of_hand(refinement, held_out) for refinement in refinements), strict=True)
    together = {
        name: {moment: _mean_figures([of[name][moment] for of in by_hand]) for moment in ("before", "after")}
        for name in held_out.cameras
    }
    return HoldoutReport(_report(together), [_report(of) for of in by_hand], list(sheets))


@torch.no_grad()
def _of_hand(
    refinement: Refinement, held_out: HandSequence
) -> tuple[dict[str, dict[str, Figures]], dict[tuple[int, str], Picture]]:
    """Figures of one hand by camera and moment, and its pictures."""
    job = refinement.job
    nothing: Figures = dict.fromkeys(FIGURES)
    try:
        seen = job.observe(held_out)
        around = views_around(job, seen, refinement.index)
    except InputError as error:
        log.warning("the held-out cameras tell nothing: %s", error)
        return {name: {"before": nothing, "after": nothing} for name in held_out.cameras}, {}
    renderer = job.new_renderer(final_settings(job), around.views)
    rendered = {}
    for moment, poses in {
        "before": job.starting_poses(),
        "after": [hand.pose for hand in job.model.hands],
    }.items():
        geometries = job.model.geometries(poses)
        rendering = job.model.render(renderer, geometries, texture_levels=job.model.n_levels, seed=FINAL_SEED)
        rendered[moment] = _Rendered(
            geometries[refinement.index], rendering.rgb, rendering.coverage[:, refinement.index]
        )
    figures = {
        name: {moment: _camera_figures(refinement, held_out, around, of, name) for moment, of in rendered.items()}
        for name in held_out.cameras
    }
    return figures, _sheets(refinement, around, rendered["before"], rendered["after"])


def _sheets(
    refinement: Refinement, around: Observations, before: _Rendered, after: _Rendered
) -> dict[tuple[int, str], Picture]:
    def split(values: Tensor) -> list[np.ndarray]:
        return [part.cpu().numpy() for part in around.views.split(values)]

    states = [list(zip(split(of.covered), split(of.hand_rgb), strict=True)) for of in (before, after)]
    frames = refinement.job.sequence.frames
    return {
        (frames[refinement.job.frame_indices[frame]], name): view_sheet(image, *of)
        for (frame, name), image, *of in zip(around.keys, split(around.image), *states, strict=True)
    }


def _camera_figures(
    refinement: Refinement, held_out: HandSequence, around: Observations, rendered: _Rendered, name: str
) -> Figures:
    shapes = [
        _outline_figures(refinement, held_out, around, rendered, index)
        for index, (frame, camera) in enumerate(around.keys)
        if camera == name and (refinement.job.frame_indices[frame], name) in held_out.masks
    ]
    pixels = around.camera_of_pixel == around.camera_names.index(name)
    colour = photometric_error(
        rendered.hand_rgb[pixels],
        rendered.covered[pixels],
        around.image[pixels],
        around.colour_weight[pixels] > 0,
    )
    return _mean_figures(shapes) | {"photometric_error": None if colour is None else colour.mean_abs}


def _outline_figures(
    refinement: Refinement, held_out: HandSequence, around: Observations, rendered: _Rendered, index: int
) -> Figures:
    """Mask precision, recall and contour distance of one view, in the full image's pixels."""
    frame, name = around.keys[index]
    row = int(refinement.job.model.hands[refinement.index].rows[frame])
    camera, window = held_out.cameras[name], around.windows[index]
    mask = held_out.masks[refinement.job.frame_indices[frame], name]()
    covered = covered_in_full(around.views.split(rendered.covered)[index], window, camera)
    other_px = joints_of_other_px(refinement, row, camera)
    agreement = mask_agreement(
        covered, mask, camera.project(rendered.geometry.joints_world[row]).cpu().numpy(), other_px
    )
    # The same region before and after: contours are judged where the annotation puts the hand.
    annotated_px = camera.project(refinement.before.geometry.joints_world[row]).cpu().numpy()
    judged = judged_contour_region(annotated_px, other_px, camera.height, camera.width)
    in_window = np.zeros_like(judged)
    window.cut(in_window)[1:-1, 1:-1] = True
    return {
        "mask_precision": agreement.precision,
        "mask_recall": agreement.recall,
        "contour_distance_px": contour_distance_px(covered, mask, judged & in_window),
    }


def _report(figures: Mapping[str, Mapping[str, Figures]]) -> dict[str, object]:
    def moments(of: Mapping[str, Figures]) -> dict[str, object]:
        return {name: {moment: of[moment].get(name) for moment in ("before", "after")} for name in FIGURES}

    cameras = [{"camera": name, "frame": None, **moments(of)} for name, of in figures.items()]
    mean = {moment: _mean_figures([of[moment] for of in figures.values()]) for moment in ("before", "after")}
    return {"cameras": cameras, "mean": moments(mean)}


def _mean_figures(of: Sequence[Figures]) -> dict[str, float | None]:
    known = {name: [f[name] for f in of if f.get(name) is not None] for name in FIGURES}
    return {
        name: float(np.mean([v for v in values if v is not None])) if values else None
        for name, values in known.items()
    }

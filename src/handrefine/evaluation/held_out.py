"""Cameras that the fit never saw: how a user knows, without truth, that the result is better."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from handrefine.errors import InputError
from handrefine.evaluation.contours import contour_distance_px, judged_contour_region
from handrefine.evaluation.held_out_scene import HandRender, HeldOutScene, Moment
from handrefine.evaluation.masks import mask_agreement
from handrefine.evaluation.measures import HOLDOUT_MEASURES
from handrefine.evaluation.photometric import photometric_error
from handrefine.evaluation.run_metrics import COVERED, covered_in_full, joints_of_other_px, project
from handrefine.runs.judgement import HeldOutReport, HeldOutView
from handrefine.runs.result import HandResult, Metrics, RunResult, ViewRender, label_shades
from handrefine.sequence import FrameIndex, HandSequence, Side

log = logging.getLogger(__name__)
Figures = Mapping[str, float | None]
MOMENTS: tuple[Moment, ...] = ("before", "after")
#: By camera and moment.
HandFigures = dict[str, dict[Moment, Figures]]


def split_off(sequence: HandSequence, names: Sequence[str]) -> tuple[HandSequence, HandSequence]:
    """The video of the cameras to fit, and that of the held-out ones.

    Raises:
        InputError: a name is not a camera of this sequence, or none would be left to fit.
    """
    held_out = sequence.with_cameras(names)
    rest = [name for name in sequence.cameras if name not in held_out.cameras]
    if not rest:
        raise InputError(
            "no camera is left to fit", where="holdout " + ",".join(names), fix="hold out fewer cameras"
        )
    return sequence.with_cameras(rest), held_out


def measure_holdout(result: RunResult, held_out: HandSequence) -> HeldOutReport:
    """What held-out cameras say of every hand that was refined, and of all of them together.

    Nothing of a held-out camera reaches the fit; of all that is compared here only that camera's own colour
    transform is fitted to its images, anew for either state. Figures are means over a camera's frames, and null
    where there is nothing to tell: without masks that is all but the photometric error.

    Args:
        result: of a refinement, or read back from its folder (then its textures have 8 bits).
        held_out: the same video by other cameras.

    Raises:
        InputError: a refined frame is not one of the video's, no camera sees a hand, or an image is broken.
    """
    scene = HeldOutScene(result, held_out)
    figures: dict[Side, HandFigures] = {}
    views: dict[Side, tuple[HeldOutView, ...]] = {}
    for index, side in enumerate(result.sides):
        figures[side], views[side] = _nothing(list(held_out.cameras)), ()
        if around := scene.views_around(index):
            judge = _HandJudge(result.hand(side), index, scene, around, held_out)
            figures[side], views[side] = judge.figures(), judge.views()
        else:
            log.warning("the held-out cameras tell nothing of the %s hand: none of them sees it", side)
    return _reports(figures, views)


def nothing_measured(sides: Sequence[Side], cameras: Sequence[str]) -> HeldOutReport:
    """The report of cameras that could not be asked."""
    return _reports({side: _nothing(cameras) for side in sides}, dict.fromkeys(sides, ()))


def _nothing(cameras: Sequence[str]) -> HandFigures:
    return {name: dict.fromkeys(MOMENTS, _mean_figures([])) for name in cameras}


def _reports(figures: Mapping[Side, HandFigures], views: Mapping[Side, tuple[HeldOutView, ...]]) -> HeldOutReport:
    means: HandFigures = {
        name: {moment: _mean_figures([of[name][moment] for of in figures.values()]) for moment in MOMENTS}
        for name in next(iter(figures.values()))
    }
    return HeldOutReport(_report(means), {side: _report(of) for side, of in figures.items()}, views)


class _HandJudge:
    """One hand in the held-out views around it."""

    def __init__(
        self, hand: HandResult, index: int, scene: HeldOutScene, around: Sequence[int], held_out: HandSequence
    ) -> None:
        self._hand, self._index, self._scene, self._held_out = hand, index, scene, held_out
        seen = scene.seen
        self._keys, self._windows = [seen.keys[k] for k in around], [seen.windows[k] for k in around]
        self._images, self._judged = (
            [seen.views.split(of)[k] for k in around] for of in (seen.image, seen.measured)
        )
        known, skin = (
            [seen.views.split(of)[k].cpu().numpy() for k in around]
            for of in (seen.silhouette_weight > 0, seen.hand_share > COVERED)
        )
        self._labels = [label_shades(*of) for of in zip(known, skin, strict=True)]
        self._renders = scene.render(index, around)

    def figures(self) -> HandFigures:
        return {
            name: {moment: self._camera_figures(moment, name) for moment in MOMENTS}
            for name in self._held_out.cameras
        }

    def views(self) -> tuple[HeldOutView, ...]:
        def render(moment: Moment, k: int) -> ViewRender:
            of = self._renders[moment]
            return ViewRender(*(part[k].cpu().numpy() for part in (of.hand_rgb, of.coverage, of.own)))

        return tuple(
            HeldOutView(
                frame=self._scene.frames[frame],
                camera=name,
                image=self._images[k].cpu().numpy(),
                label=self._labels[k],
                before=render("before", k),
                after=render("after", k),
            )
            for k, (frame, name) in enumerate(self._keys)
        )

    def _camera_figures(self, moment: Moment, name: str) -> Figures:
        render, views = self._renders[moment], [k for k, (_, camera) in enumerate(self._keys) if camera == name]
        outlines = [self._outline_figures(moment, k) for k in views if self._mask_key(k) in self._held_out.masks]
        error = _photometric_error(render, self._images, self._judged, views)
        return _mean_figures(outlines) | {"photometric_error": error}

    def _mask_key(self, k: int) -> tuple[FrameIndex, str]:
        frame, name = self._keys[k]
        return FrameIndex(self._held_out.frames.index(self._scene.frames[frame])), name

    def _outline_figures(self, moment: Moment, k: int) -> Figures:
        """Mask precision, recall and contour distance of one view, in the full image's pixels."""
        frame, name = self._keys[k]
        hand, row = self._hand, self._scene.row(self._index, frame)
        camera, window = self._held_out.cameras[name].at(self._scene.frames[frame]), self._windows[k]
        mask = self._held_out.masks[self._mask_key(k)]()
        covered = covered_in_full(self._renders[moment].own[k].cpu().numpy(), window, camera)
        other_px = joints_of_other_px(hand, row, camera)
        state = hand.before if moment == "before" else hand.after
        agreement = mask_agreement(covered, mask, project(camera, state.joints_world[row]), other_px)
        # The same region before and after: contours are judged where the annotation puts the hand.
        annotated_px = project(camera, hand.before.joints_world[row])
        judged = judged_contour_region(annotated_px, other_px, camera.height, camera.width)
        in_window = np.zeros_like(judged)
        window.cut(in_window)[1:-1, 1:-1] = True
        return {
            "mask_precision": agreement.precision,
            "mask_recall": agreement.recall,
            "contour_distance_px": contour_distance_px(covered, mask, judged & in_window),
        }


def _photometric_error(
    render: HandRender, images: Sequence[Tensor], judged: Sequence[Tensor], views: Sequence[int]
) -> float | None:
    """Of one camera, all of its views together."""
    if not views:
        return None

    def pixels(of: Sequence[Tensor]) -> Tensor:
        return torch.cat([of[k].flatten(0, 1) for k in views])

    found = photometric_error(pixels(render.hand_rgb), pixels(render.own), pixels(images), pixels(judged))
    return None if found is None else found.mean_abs


def _report(figures: HandFigures) -> Metrics:
    def moments(of: Mapping[Moment, Figures]) -> dict[str, object]:
        return {name: {moment: of[moment].get(name) for moment in MOMENTS} for name in HOLDOUT_MEASURES}

    cameras = [{"camera": name, "frame": None, **moments(of)} for name, of in figures.items()]
    mean: dict[Moment, Figures] = {
        moment: _mean_figures([of[moment] for of in figures.values()]) for moment in MOMENTS
    }
    return {"cameras": cameras, "mean": moments(mean)}


def _mean_figures(of: Sequence[Figures]) -> dict[str, float | None]:
    """Means of what is known of every figure."""
    known = {name: [v for f in of if (v := f.get(name)) is not None] for name in HOLDOUT_MEASURES}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}

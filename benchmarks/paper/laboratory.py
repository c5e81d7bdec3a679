"""One run from a seed to its figures, without files: invent a video, take pictures, refine, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.paper.runs import Run
from benchmarks.paper.store import Sample
from handrefine.config import Config, LightConfig, RenderConfig
from handrefine.evaluation.against_truth import geometry_of_truth, texture_psnr
from handrefine.evaluation.metrics import aligned, mean_distance_mm, reprojection_px
from handrefine.evaluation.monitors import error_monitor
from handrefine.hand.model import HandGeometry, HandModel, load_hand_model
from handrefine.preprocess.camera_selection import cameras_that_see_most
from handrefine.progress import Progress
from handrefine.refinement.refine import refine
from handrefine.refinement.watchers import Monitor
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.runs.result import HandState, RunResult
from handrefine.sequence import HandAnnotation, HandSequence, Side
from handrefine.synthetic.mismatch import MismatchSettings
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truth
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import SyntheticImages, render_images, sequence_in_memory


@dataclass(frozen=True, eq=False)
class Video:
    """A video with its truth."""

    settings: SyntheticSettings
    truth: SyntheticTruth
    images: SyntheticImages
    annotation: HandAnnotation

    def sequence(self, *, masks: bool) -> HandSequence:
        return sequence_in_memory(self.truth, self.images, self.annotation, masks=masks)


class Laboratory:
    """Makes videos and refines them; keeps the last video, since runs come video by video."""

    def __init__(self, render: RenderConfig) -> None:
        self._render = render
        self._hand: HandModel = load_hand_model("right")
        self._last: tuple[SyntheticSettings, float, Video] | None = None

    def measure(self, run: Run, config: Config, progress: Progress) -> Sample:
        """Refine, and compare with the truth."""
        video = self._video(run)
        sequence = video.sequence(masks=run.masks or run.kind == "mismatched")
        if run.cameras < len(sequence.cameras):
            chosen = cameras_that_see_most(sequence, self._hand.side, run.cameras, config)
            sequence = sequence.with_cameras(chosen)
        side = self._hand.side
        monitors: dict[Side, Monitor] = {side: error_monitor(video.truth)}
        result = refine(sequence, side, config, progress=progress, monitors=monitors)
        return {
            "camera_names": list(sequence.cameras),
            **figures(result, video.truth),
            "texture_psnr_db": texture_figure(result, video.truth),
            "seconds": result.seconds,
            "iterations": len(result.records),
            "curve": curve(result.records),
            "variant": result.variant,
        }

    def _video(self, run: Run) -> Video:
        settings = SyntheticSettings(
            n_cameras=run.video_cameras,
            n_frames=run.frames,
            size=run.size,
            seed=run.video,
            kind=run.kind,
            mismatch=run.mismatch or MismatchSettings(),
        )
        if self._last is None or self._last[:2] != (settings, run.error_mm):
            self._last = settings, run.error_mm, self._new_video(settings, run.error_mm)
        return self._last[2]

    def _new_video(self, settings: SyntheticSettings, error_mm: float) -> Video:
        runtime = start_mitsuba(self._render.variant)
        truth = make_truth(self._hand, self._hand.default_skin(), settings)
        # The truth's light and depth are the video's own, whatever a method assumes of them.
        config = Config(seed=settings.seed, light=LightConfig(), render=self._render)
        images = render_images([self._hand], [truth], settings, config, runtime.device)
        annotation = imperfect_annotation(self._hand, truth, error_mm, settings.seed)
        return Video(settings, truth, images, annotation)


def curve(records: Sequence[Mapping[str, Any]], every: int = 5) -> list[list[float]]:
    """Seconds and vertex error in mm of every fifth iteration and the last one."""
    points = [[round(record["seconds"], 1), round(record["vertex_error_mm"], 4)] for record in records]
    return points[::every] + points[-1:]


def figures(result: RunResult, truth: SyntheticTruth) -> Sample:
    """Errors before and after; the reprojection error is taken over all cameras of the video, used or not."""
    hand = result.hand(truth.side)
    true = geometry_of_truth(truth, result.annotation(truth.side))
    views = [(k, camera) for k in range(len(hand.frames)) for camera in truth.cameras.values()]
    return {
        moment: errors(state, true) | {"reprojection_px": _reprojection(state, true, views)}
        for moment, state in (("before", hand.before), ("after", hand.after))
    }


def errors(state: HandState, true: HandGeometry) -> Sample:
    """Mean vertex and joint errors in mm, as they are and after Procrustes alignment (pa_)."""
    verts, joints = (torch.as_tensor(of).double() for of in (state.verts_world, state.joints_world))
    return {
        "vertex_error_mm": mean_distance_mm(verts, true.verts_world),
        "joint_error_mm": mean_distance_mm(joints, true.joints_world),
        "pa_vertex_error_mm": mean_distance_mm(aligned(verts, true.verts_world), true.verts_world),
        "pa_joint_error_mm": mean_distance_mm(aligned(joints, true.joints_world), true.joints_world),
    }


def texture_figure(result: RunResult, truth: SyntheticTruth) -> float | None:
    """Eq. 5; the mean over frames where each has a texture of its own."""
    hand, true = result.hand(truth.side), torch.from_numpy(np.ascontiguousarray(truth.texture))
    textures, seen = torch.from_numpy(hand.textures), torch.from_numpy(hand.textures_seen)
    figures = [texture_psnr(texture, true, mask) for texture, mask in zip(textures, seen, strict=True)]
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None


def _reprojection(state: HandState, true: HandGeometry, views: list) -> float | None:
    return reprojection_px(torch.as_tensor(state.joints_world).double(), true.joints_world, views)

"""One run from a seed to its figures, without files: invent a video, take pictures, refine, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.paper.runs import Run
from benchmarks.paper.store import Sample
from handrefine.cli.demo_command import error_monitor
from handrefine.cli.synthesize_command import imperfect_annotation
from handrefine.config import Config, LightConfig, RenderConfig
from handrefine.evaluation.metrics import aligned, mean_distance_mm, reprojection_px
from handrefine.evaluation.run_metrics import texture_psnr
from handrefine.hand.model import HandGeometry, HandModel, load_hand_model
from handrefine.preprocess.camera_selection import cameras_that_see_most
from handrefine.progress import Progress
from handrefine.refinement.refine import Refinement, State, refine
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import HandAnnotation, HandSequence
from handrefine.synthetic.mismatch import MismatchSettings
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truth
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
        monitor = error_monitor(video.truth)
        refinement = refine(sequence, self._hand.side, config, progress=progress, monitor=monitor)
        return {
            "camera_names": list(sequence.cameras),
            **figures(refinement, video.truth),
            "texture_psnr_db": texture_figure(refinement, video.truth),
            "seconds": refinement.seconds,
            "iterations": len(refinement.records),
            "curve": curve(refinement.records),
            "variant": refinement.job.runtime.variant,
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


def figures(refinement: Refinement, truth: SyntheticTruth) -> Sample:
    """Errors before and after; the reprojection error is taken over all cameras of the video, used or not."""
    rows = refinement.start.frame_indices
    true = HandGeometry(
        torch.as_tensor(truth.verts_world[rows]).double(), torch.as_tensor(truth.joints_world[rows]).double()
    )
    views = [(k, camera) for k in range(len(rows)) for camera in truth.cameras.values()]
    return {
        moment: errors(state, true) | {"reprojection_px": _reprojection(state, true, views)}
        for moment, state in (("before", refinement.before), ("after", refinement.after))
    }


def errors(state: State, true: HandGeometry) -> Sample:
    """Mean vertex and joint errors in mm, as they are and after Procrustes alignment (pa_)."""
    verts, joints = state.geometry.verts_world.double().cpu(), state.geometry.joints_world.double().cpu()
    return {
        "vertex_error_mm": mean_distance_mm(verts, true.verts_world),
        "joint_error_mm": mean_distance_mm(joints, true.joints_world),
        "pa_vertex_error_mm": mean_distance_mm(aligned(verts, true.verts_world), true.verts_world),
        "pa_joint_error_mm": mean_distance_mm(aligned(joints, true.joints_world), true.joints_world),
    }


def texture_figure(refinement: Refinement, truth: SyntheticTruth) -> float | None:
    """Eq. 5; the mean over frames where each has a texture of its own."""
    true = torch.from_numpy(np.ascontiguousarray(truth.texture))
    textures, seen = torch.from_numpy(refinement.textures), torch.from_numpy(refinement.textures_seen)
    figures = [texture_psnr(texture, true, mask) for texture, mask in zip(textures, seen, strict=True)]
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None


def _reprojection(state: State, true: HandGeometry, views: list) -> float | None:
    return reprojection_px(state.geometry.joints_world.double().cpu(), true.joints_world, views)

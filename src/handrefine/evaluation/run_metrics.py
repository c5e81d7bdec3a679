"""The figures of `metrics.json`: what a run gained, by its masks and, where it is known, by the truth."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

import handrefine
from handrefine.evaluation.masks import MaskAgreement, mask_agreement, mean_agreement
from handrefine.evaluation.metrics import mean_distance_mm, reprojection_px, texture_psnr_db
from handrefine.hand.model import HandGeometry
from handrefine.observations import CropWindow
from handrefine.refinement.refine import Refinement, State
from handrefine.sequence import Camera

#: A pixel belongs to the rendered hand from this coverage on.
COVERED = 0.5
Figure = dict[str, float | None]


def metrics_without_truth(refinement: Refinement) -> dict[str, object]:
    """Everything that `metrics.json` holds, with null for what needs a truth."""
    agreements = [_agreements(refinement, state) for state in (refinement.before, refinement.after)]
    before, after = map(mean_agreement, agreements)
    job = refinement.job
    unknown: Figure = {"before": None, "after": None}
    return {
        "vertex_error_mm": unknown,
        "joint_error_mm": unknown,
        "reprojection_px": unknown,
        "mask_precision": {"before": before.precision, "after": after.precision},
        "mask_recall": {"before": before.recall, "after": after.recall},
        "texture_psnr_db": unknown,
        "joint_fit_residual_mm": refinement.start.joint_residual_mm,
        "seconds": refinement.seconds,
        "iterations": len(refinement.records),
        "seed": job.config.seed,
        "version": handrefine.__version__,
        "variant": job.runtime.variant,
        "per_view": [
            {
                "frame": refinement.frames[frame],
                "camera": camera,
                "mask_precision": {"before": of_before.precision, "after": of_after.precision},
                "mask_recall": {"before": of_before.recall, "after": of_after.recall},
            }
            for (frame, camera), of_before, of_after in zip(refinement.observations.keys, *agreements, strict=True)
        ],
    }


def geometry_metrics(
    geometry: HandGeometry,
    truth: HandGeometry,
    views: list[tuple[int, Camera]],
) -> dict[str, float | None]:
    """Errors of one geometry against the truth at the same frames."""
    return {
        "vertex_error_mm": mean_distance_mm(geometry.verts_world, truth.verts_world),
        "joint_error_mm": mean_distance_mm(geometry.joints_world, truth.joints_world),
        "reprojection_px": reprojection_px(geometry.joints_world, truth.joints_world, views),
    }


def texture_psnr(
    texture: Float[Tensor, "height width 3"], truth: Float[Tensor, "t_height t_width 3"], seen: Tensor
) -> float | None:
    """Eq. 5 on the grid of the seen texels, to which both textures are averaged."""

    def resized(picture: Tensor) -> Tensor:
        channels_first = picture.permute(2, 0, 1)[None].float()
        small = torch.nn.functional.interpolate(channels_first, size=tuple(seen.shape), mode="area")
        return small[0].permute(1, 2, 0)

    return texture_psnr_db(resized(texture), resized(truth), seen)


def _agreements(refinement: Refinement, state: State) -> list[MaskAgreement]:
    """One for every view; None twice where it has no mask."""
    sequence = refinement.job.sequence
    coverages = refinement.observations.views.split(state.covered)
    agreements = []
    for (frame, name), window, coverage in zip(
        refinement.observations.keys, refinement.observations.windows, coverages, strict=True
    ):
        key = refinement.start.frame_indices[frame], name
        camera = sequence.cameras[name]
        if key not in sequence.masks:
            agreements.append(MaskAgreement(None, None))
            continue
        covered = covered_in_full(coverage, window, camera)
        joints_px = camera.project(state.geometry.joints_world[frame]).cpu().numpy()
        other_px = joints_of_other_px(refinement, frame, camera)
        agreements.append(mask_agreement(covered, sequence.masks[key](), joints_px, other_px))
    return agreements


def covered_in_full(
    coverage: Float[Tensor, "height width"], window: CropWindow, camera: Camera
) -> Bool[np.ndarray, "full_height full_width"]:
    """The pixels of the full image that belong to a hand rendered in its window."""
    covered = np.zeros((camera.height, camera.width), dtype=bool)
    window.cut(covered)[:] = window.enlarge(coverage.cpu().numpy()) > COVERED
    return covered


def joints_of_other_px(refinement: Refinement, frame: int, camera: Camera) -> Float[np.ndarray, "21 2"] | None:
    """Where the annotation puts the hand that is not this one, at one of this hand's frames."""
    other = refinement.other_joints_world
    if other is None or not bool(torch.isfinite(other[frame]).all()):
        return None
    return camera.project(other[frame]).numpy()

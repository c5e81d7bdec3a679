"""The figures of `metrics.json`: what a run gained, by its masks and, where it is known, by the truth."""

import torch
from jaxtyping import Float
from torch import Tensor

import handrefine
from handrefine.evaluate.masks import MaskAgreement, mask_agreement, mean_agreement
from handrefine.evaluate.metrics import mean_distance_mm, reprojection_px, texture_psnr_db
from handrefine.hand.model import HandGeometry
from handrefine.refine.refinement import Refinement, State
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
        "joint_fit_residual_mm": job.start.joint_residual_mm,
        "seconds": refinement.seconds,
        "iterations": len(refinement.records),
        "seed": job.config.seed,
        "version": handrefine.__version__,
        "variant": job.runtime.variant,
        "per_view": [
            {
                "frame": job.frames[frame],
                "camera": camera,
                "mask_precision": {"before": of_before.precision, "after": of_after.precision},
                "mask_recall": {"before": of_before.recall, "after": of_after.recall},
            }
            for (frame, camera), of_before, of_after in zip(job.observations.keys, *agreements, strict=True)
        ],
    }


def geometry_metrics(
    geometry: HandGeometry,
    truth: HandGeometry,
    views: list[tuple[int, Camera]],
) -> dict[str, float | None]:
    """Errors of one geometry against the truth at the same instants."""
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
    job = refinement.job
    return [
        _view_agreement(refinement, state, index)
        if (job.start.frame_indices[frame], name) in job.sequence.masks
        else MaskAgreement(None, None)
        for index, (frame, name) in enumerate(job.observations.keys)
    ]


def _view_agreement(refinement: Refinement, state: State, index: int) -> MaskAgreement:
    job = refinement.job
    frame, name = job.observations.keys[index]
    camera, window = job.sequence.cameras[name], job.observations.windows[index]
    mask = job.sequence.masks[job.start.frame_indices[frame], name]()
    coverage = job.observations.views.split(state.prediction.coverage)[index].cpu().numpy()
    covered = torch.zeros(camera.height, camera.width, dtype=torch.bool).numpy()
    window.cut(covered)[:] = window.enlarge(coverage) > COVERED
    other = job.other_joints_world
    other_px = None
    if other is not None and bool(torch.isfinite(other[frame]).all()):
        other_px = camera.project(other[frame]).numpy()
    joints_px = camera.project(state.geometry.joints_world[frame]).cpu().numpy()
    return mask_agreement(covered, mask, joints_px, other_px)

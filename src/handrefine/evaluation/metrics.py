"""Errors against a known truth: in space, in the images, and of the texture."""

from collections.abc import Iterable, Sequence
from typing import Any

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.colour_fit import apply_transform, fit_colour_transform
from handrefine.sequence import Camera


def mean_distance_mm(
    points_world: Float[Tensor, "frame point 3"],
    truth_world: Float[Tensor, "frame point 3"],
    valid: Bool[Tensor, "frame point"] | None = None,
) -> float | None:
    """Mean Euclidean distance of corresponding points, in mm, over all frames: vertex error or MPJPE.

    valid: points that have a truth; None comes back when there are none.
    """
    distance = torch.linalg.vector_norm(points_world - truth_world, dim=-1)
    if valid is not None:
        distance = distance[valid]
    return 1000 * float(distance.mean()) if distance.numel() else None


def aligned(
    points_world: Float[Tensor, "frame point 3"],
    truth_world: Float[Tensor, "frame point 3"],
    *,
    with_scale: bool = True,
) -> Float[Tensor, "frame point 3"]:
    """The points after the best rotation, translation and (`with_scale`) scale of every frame (Procrustes).

    Put before `mean_distance_mm` it gives the errors that are usually called PA-MPVPE and PA-MPJPE.
    """
    registration: Any = roma.rigid_points_registration(points_world, truth_world, compute_scaling=with_scale)
    R, t = registration[:2]
    scale = registration[2][:, None, None] if with_scale else 1.0
    return scale * points_world @ R.mT + t[:, None]


def reprojection_px(
    joints_world: Float[Tensor, "frame joint 3"],
    truth_world: Float[Tensor, "frame joint 3"],
    views: Iterable[tuple[int, Camera]],
) -> float | None:
    """Mean distance in pixels of the full images between projected joints and projected true joints.

    views: (frame, full-size camera) of every view that exists. The mean over a view's joints is taken first,
        then the mean over views. Joints behind the camera are left out.
    """
    errors = []
    for frame, camera in views:
        offset = camera.project(joints_world[frame]) - camera.project(truth_world[frame])
        distance = torch.linalg.vector_norm(offset, dim=-1)
        finite = distance[torch.isfinite(distance)]
        if finite.numel():
            errors.append(float(finite.mean()))
    return sum(errors) / len(errors) if errors else None


def texture_psnr_db(
    texture: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    seen: Bool[Tensor, "height width"],
) -> float | None:
    """Eq. 5: PSNR over the seen texels after the 3x4 colour transform that makes it largest; None if none is seen.

    `max over M, b of 10 log10(1 / mean |M rgb + b - truth|^2)`, the mean over texels and channels, peak value 1.
    The transform removes what no image can tell: how reflectance and light share their product.
    """
    source, target = texture[seen].double(), truth[seen].double()
    if len(source) == 0:
        return None
    error = (apply_transform(fit_colour_transform(source, target), source) - target).square().mean()
    return float(-10 * torch.log10(error.clamp(min=1e-12)))


def psnr_ratio(psnr_db: Sequence[float], baseline_psnr_db: Sequence[float]) -> float:
    """Eq. 6: r = mean over videos of our PSNR divided by the baseline's, both in dB; 1.0384 in the paper."""
    ratios = [ours / theirs for ours, theirs in zip(psnr_db, baseline_psnr_db, strict=True)]
    return sum(ratios) / len(ratios)

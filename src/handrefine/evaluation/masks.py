"""How well a rendered hand agrees with a rough mask, told without 3D truth."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from handrefine import regions

OTHER_HAND_PX = 15


@dataclass(frozen=True)
class MaskAgreement:
    """Shares in [0, 1]; None where there is nothing to take a share of."""

    precision: float | None
    recall: float | None


def mask_agreement(
    covered: Bool[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
    joints_px: Float[np.ndarray, "21 2"],
    other_joints_px: Float[np.ndarray, "21 2"] | None = None,
) -> MaskAgreement:
    """Agreement of one view, at the full image's resolution.

    precision: share of the rendered hand's pixels that lie inside the mask.
    recall: share of the mask's pixels inside the convex hull of the projected joints that the render covers.

    Left out of both: what lies beyond the wrist (the half-plane past it, away from the middle knuckle), and the
    convex hull of the other hand's joints, dilated by 15 px.
    """
    height, width = mask.shape
    judged = judged_region(joints_px, other_joints_px, height, width)
    within_hull = mask & regions.convex_hull(joints_px, height, width) & judged
    return MaskAgreement(_share(covered & judged, mask), _share(within_hull, covered))


def judged_region(
    joints_px: Float[np.ndarray, "21 2"],
    other_joints_px: Float[np.ndarray, "21 2"] | None,
    height: int,
    width: int,
) -> Bool[np.ndarray, "{height} {width}"]:
    """Pixels that count: not beyond the wrist, and not within 15 px of the hull of the other hand's joints."""
    judged = ~regions.beyond_wrist(joints_px, height, width)
    if other_joints_px is not None:
        judged &= ~regions.dilated(regions.convex_hull(other_joints_px, height, width), OTHER_HAND_PX)
    return judged


def mean_agreement(views: Iterable[MaskAgreement]) -> MaskAgreement:
    """Mean over the views that have a mask; a view where a share is None is left out of that share's mean."""
    listed = list(views)
    return MaskAgreement(_mean([v.precision for v in listed]), _mean([v.recall for v in listed]))


def _share(of: np.ndarray, inside: np.ndarray) -> float | None:
    total = np.count_nonzero(of)
    return np.count_nonzero(of & inside) / total if total else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

"""How far the contour of a rendered hand lies from the contour of a mask, in pixels."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import KDTree

from handrefine import regions
from handrefine.evaluation.masks import judged_region

#: Share of the hand's length within which a mask's contour may be this hand's.
REACH = 0.25

Region = Bool[np.ndarray, "height width"]
Points = Float[np.ndarray, "point 2"]


def contour_points_px(region: Region, judged: Region | None = None) -> Points:
    """The outline of a region, outer and inner, as (x, y) points one pixel of outline apart.

    Two neighbouring pixels of which one is inside share a side; its midpoint is a point of the contour. The border
    of the image is no contour: a region that leaves the image is open there. The centre of pixel (0, 0) is at
    (0.5, 0.5).

    judged: points count only where both pixels are judged; all of them when missing.
    """
    counted = np.ones_like(region) if judged is None else judged
    upright = (region[:, 1:] != region[:, :-1]) & counted[:, 1:] & counted[:, :-1]
    level = (region[1:] != region[:-1]) & counted[1:] & counted[:-1]
    y_upright, x_upright = np.nonzero(upright)
    y_level, x_level = np.nonzero(level)
    return np.concatenate(
        [
            np.stack([x_upright + 1.0, y_upright + 0.5], axis=1),
            np.stack([x_level + 0.5, y_level + 1.0], axis=1),
        ]
    )


def contour_distance_px(covered: Region, mask: Region, judged: Region) -> float | None:
    """Symmetric mean distance of two outlines, in pixels of the picture.

    With A the outline of the render, B that of the mask, A' and B' their points inside the judged region:
    `(mean over a in A' of min over b in B of |a - b| + mean over b in B' of min over a in A of |a - b|) / 2`.
    The nearest point may lie outside the judged region, so that a contour that ends at the region's border is not
    measured against the wrong piece of the other one. Not robust on purpose: a finger that one of the two lacks
    counts with its whole length. None where one of the outlines has no judged point.

    Args:
        covered: pixels of the rendered hand, at the mask's resolution.
        mask: pixels that show skin.
        judged: where outlines count, e.g. `judged_contour_region`; take the same one before and after. Leave out
            what was not rendered, such as the rim of a crop window.
    """
    ours, theirs = contour_points_px(covered, judged), contour_points_px(mask, judged)
    if not len(ours) or not len(theirs):
        return None
    to_mask, _ = KDTree(contour_points_px(mask)).query(ours)
    to_render, _ = KDTree(contour_points_px(covered)).query(theirs)
    return float((np.mean(to_mask) + np.mean(to_render)) / 2)


def judged_contour_region(
    joints_px: Float[np.ndarray, "21 2"],
    other_joints_px: Float[np.ndarray, "21 2"] | None,
    height: int,
    width: int,
) -> Region:
    """Where contours are compared: `judged_region`, and within reach of the hand.

    Out of reach is what lies further from the convex hull of the joints than a quarter of the hand's length (palm
    and longest finger, bone by bone): skin there is not this hand's.
    """
    away_px = regions.distance_px(regions.convex_hull(joints_px, height, width))
    near = away_px <= REACH * regions.hand_length_px(joints_px)
    return near & judged_region(joints_px, other_joints_px, height, width)


def mean_contour_distance_px(views: Iterable[float | None]) -> float | None:
    """Mean over the views that have a distance."""
    known = [distance for distance in views if distance is not None]
    return float(np.mean(known)) if known else None

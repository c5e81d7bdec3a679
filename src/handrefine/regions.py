"""Regions of an image that the projected joints of a hand tell: its hull, its bones, what lies beyond its wrist.

All of them are boolean images; pixel coordinates follow the camera's (the centre of pixel (0, 0) is (0.5, 0.5)).
Joints that are not finite (behind the camera, unlabelled) are left out.
"""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped

from handrefine.sequence import MIDDLE_KNUCKLE, PALM, WRIST

#: The joints of every finger from the wrist to the tip.
FINGER_CHAINS: tuple[tuple[int, ...], ...] = tuple((WRIST, *range(k, k + 4)) for k in range(1, 21, 4))
_FAR_PX = 1e6


def convex_hull(
    joints_px: Float[np.ndarray, "joint 2"], height: int, width: int
) -> Bool[np.ndarray, "{height} {width}"]:
    """Pixels within the convex hull of the joints, its outline included."""
    canvas = np.zeros((height, width), np.uint8)
    finite = _pixel_indices(joints_px[np.isfinite(joints_px).all(axis=1)])
    if len(finite):
        cv2.fillConvexPoly(canvas, cv2.convexHull(finite), 1)
    return canvas.astype(bool)


def bones(
    joints_px: Float[np.ndarray, "21 2"],
    height: int,
    width: int,
    *,
    of_joints: Bool[np.ndarray, "21"] | None = None,
) -> Bool[np.ndarray, "{height} {width}"]:
    """Pixels on the lines from joint to joint, one pixel wide; `of_joints` draws only the bones that end there."""
    canvas = np.zeros((height, width), np.uint8)
    for chain in FINGER_CHAINS:
        for start, end in pairwise(chain):
            wanted = of_joints is None or of_joints[start] or of_joints[end]
            if wanted and np.isfinite(joints_px[[start, end]]).all():
                (x0, y0), (x1, y1) = _pixel_indices(joints_px[[start, end]])
                cv2.line(canvas, (int(x0), int(y0)), (int(x1), int(y1)), 1)
    return canvas.astype(bool)


def palm(joints_px: Float[np.ndarray, "21 2"], height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    """Pixels within the hull of wrist and knuckles."""
    return convex_hull(joints_px[PALM], height, width)


def body(joints_px: Float[np.ndarray, "21 2"], height: int, width: int) -> Bool[np.ndarray, "{height} {width}"]:
    """The palm and the bones of all fingers."""
    return palm(joints_px, height, width) | bones(joints_px, height, width)


def beyond_wrist(
    joints_px: Float[np.ndarray, "21 2"], height: int, width: int, *, margin: float = 0.0
) -> Bool[np.ndarray, "{height} {width}"]:
    """The half-plane past the projected wrist, away from the middle knuckle.

    margin: moves its border from the wrist away from the hand, by this share of the distance from the wrist to the
        middle knuckle; negative values move it into the hand. A palm seen end-on gives no half-plane.
    """
    wrist, knuckle = joints_px[WRIST].astype(float), joints_px[MIDDLE_KNUCKLE].astype(float)
    palm = knuckle - wrist
    if not np.isfinite(palm).all() or np.linalg.norm(palm) < 1.0:
        return np.zeros((height, width), bool)
    border = wrist - margin * palm
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    return (x - border[0]) * palm[0] + (y - border[1]) * palm[1] < 0


def distance_px(region: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Distance of every pixel's centre from the region's nearest pixel; a million where there is no region."""
    if not region.any():
        return np.full(region.shape, _FAR_PX, np.float32)
    nearly = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's root is off by a bit that depends on where the array lies in memory; squares are whole numbers.
    return np.sqrt(np.rint(np.square(nearly, dtype=np.float64))).astype(np.float32)


def dilated(region: Bool[np.ndarray, "height width"], radius_px: int | float) -> Bool[np.ndarray, "height width"]:
    """The region grown by a disc."""
    return distance_px(region) <= radius_px


def connected_to(
    region: Bool[np.ndarray, "height width"], seeds: Bool[np.ndarray, "height width"], *, diagonally: bool = False
) -> Bool[np.ndarray, "height width"]:
    """The region's connected parts that hold a seed."""
    _, part = cv2.connectedComponents(region.astype(np.uint8), connectivity=8 if diagonally else 4)
    return np.isin(part, np.unique(part[seeds & region])) & region


def values_at(
    image: Shaped[np.ndarray, "height width"], points_px: Float[np.ndarray, "point 2"], outside: float | bool
) -> Shaped[np.ndarray, " point"]:
    """What the pixels say that points lie in; `outside` where they lie in none."""
    height, width = image.shape
    finite_px = np.nan_to_num(points_px, nan=-1.0, posinf=-1.0, neginf=-1.0)
    u, v = np.floor(finite_px).clip(-1, max(height, width)).astype(int).T
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    return np.where(inside, image[np.where(inside, v, 0), np.where(inside, u, 0)], outside)


def hand_length_px(joints_px: Float[np.ndarray, "21 2"]) -> float:
    """Length of the hand in this picture: palm and longest finger, bone by bone, so that a fist is not short."""
    finite_px = np.where(np.isfinite(joints_px), joints_px, np.nan)
    chains = [np.linalg.norm(np.diff(finite_px[list(chain)], axis=0), axis=1).sum() for chain in FINGER_CHAINS]
    finite = [length for length in chains if np.isfinite(length)]
    return float(max(finite, default=0.0))


def _pixel_indices(points_px: np.ndarray) -> np.ndarray:
    """Indices of the nearest pixels, kept in a range that OpenCV can draw."""
    return np.rint(np.clip(points_px - 0.5, -16000, 16000)).astype(np.int32)

"""Where forearms may be seen: cones past the wrists, in the directions in which the images show skin.

A hand tells within some sixty degrees where its forearm goes. All views together tell more: along the true
direction there is skin in each of them, unless it is covered by a sleeve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int8

from handrefine.hand.wrist import wrist_crease
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST, Camera

#: Bends of the wrist that are tried, radians from the palm's axis, and how many directions of each.
BENDS = ((0.0, 1), (0.35, 6), (0.7, 12), (1.05, 16))
#: The forearm's inner part, skin if anything is: from and to how far past the wrist, and its radius, metres.
PROBE_FROM_M, PROBE_TO_M, PROBE_RADIUS_M = 0.015, 0.065, 0.018
#: Share of the forearm that a view must show.
SHOWN = 0.3
#: Balance of skin (+1) and other things (-1) from which on a direction is believed, and what may lack to the best.
BELIEVED, NEARLY_BEST = 0.3, 0.15
#: The forearm at the wrist and at its end, with what the directions' spacing leaves open, metres.
LENGTH_M, RADIUS_M, END_RADIUS_M = 0.15, 0.033, 0.05
#: How far to either side of the wrist nothing is known where a sleeve begins there.
CUFF_M = 0.025
#: The forearm's nearest surface lies before its axis by this much.
THICKNESS_M = 0.015
_RING = np.linspace(0, 2 * np.pi, 17)[:-1]

Region = Bool[np.ndarray, "height width"]
Depth = Float[np.ndarray, "height width"]
Direction = Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class SkinView:
    """One view while directions are told: its camera (a window's, at full resolution), what is skin (+1), not skin
    (0) or unknown (-1), and the depth of the hands' nearest surface, infinite where there is none."""

    camera: Camera
    skin: Int8[np.ndarray, "height width"]
    depth_m: Depth


def arm_directions(joints_world: Float[np.ndarray, "21 3"], views: Sequence[SkinView]) -> list[Direction]:
    """Unit vectors from the wrist in which the forearm may go: those that the images bear out, else all."""
    wrist, candidates = wrist_crease(joints_world), _candidates(joints_world)
    balance = np.array([_balance(wrist, direction, views) for direction in candidates])
    if not np.isfinite(balance).any() or np.nanmax(balance) < BELIEVED:
        return candidates
    best = np.nanmax(balance)
    return [d for d, of in zip(candidates, balance, strict=True) if of >= best - NEARLY_BEST]


def arm_regions(
    joints_world: Float[np.ndarray, "21 3"], directions: Sequence[Direction], view: SkinView
) -> tuple[Region, Region]:
    """Pixels in which the forearm may be seen, and those around a wrist that a sleeve may hide; not where a hand
    stands before it."""
    wrist = wrist_crease(joints_world)
    arm, cuff = (np.zeros(view.depth_m.shape, bool) for _ in range(2))
    for direction in directions:
        whole = _cone_depth(view.camera, wrist, direction, (0.0, LENGTH_M), (RADIUS_M, END_RADIUS_M))
        arm |= whole - THICKNESS_M < view.depth_m
        if _balance_in(wrist, direction, view) < 0:
            start = _cone_depth(view.camera, wrist, direction, (-CUFF_M, CUFF_M), (RADIUS_M, RADIUS_M))
            cuff |= start - THICKNESS_M < view.depth_m + 2 * RADIUS_M
    return arm, cuff


def _candidates(joints_world: Float[np.ndarray, "21 3"]) -> list[Direction]:
    axis = joints_world[WRIST] - joints_world[MIDDLE_KNUCKLE]
    axis = axis / np.linalg.norm(axis)
    first, second = _across(axis)
    found = []
    for bend, count in BENDS:
        for turn in np.linspace(0, 2 * np.pi, count + 1)[:-1]:
            side = np.cos(turn) * first + np.sin(turn) * second
            found.append(np.cos(bend) * axis + np.sin(bend) * side)
    return found


def _balance(wrist: np.ndarray, direction: Direction, views: Sequence[SkinView]) -> float:
    """Mean over the views that show the forearm; NaN where none does."""
    seen = np.array([_balance_in(wrist, direction, view) for view in views])
    return float(np.nanmean(seen)) if np.isfinite(seen).any() else np.nan


def _balance_in(wrist: np.ndarray, direction: Direction, view: SkinView) -> float:
    """Share of skin less that of other things along the forearm beside the hands; NaN where that is hidden."""
    span, radii = (PROBE_FROM_M, PROBE_TO_M), (PROBE_RADIUS_M, PROBE_RADIUS_M)
    probed = np.isfinite(_cone_depth(view.camera, wrist, direction, span, radii))
    visible = probed & ~np.isfinite(view.depth_m)
    if visible.sum() <= SHOWN * max(np.count_nonzero(probed), 1):
        return np.nan
    skin = view.skin[visible]
    return float((skin > 0).mean() - (skin == 0).mean())


def _cone_depth(
    camera: Camera,
    wrist: np.ndarray,
    direction: Direction,
    span_m: tuple[float, float],
    radii_m: tuple[float, float],
) -> Depth:
    """Depth of the axis in the pixels that a truncated cone covers, infinite elsewhere, and behind a camera."""
    depth = np.full((camera.height, camera.width), np.inf, np.float32)
    across = np.stack(_across(direction))
    circle = np.stack([np.cos(_RING), np.sin(_RING)], axis=1) @ across
    ends = wrist + np.array(span_m)[:, None] * direction
    rim = torch.as_tensor(np.concatenate([end + r * circle for end, r in zip(ends, radii_m, strict=True)]))
    outline, axis = camera.project(rim).numpy(), camera.pixels(ends)
    if not (np.isfinite(outline).all() and np.isfinite(axis).all()):
        return depth
    canvas = np.zeros(depth.shape, np.uint8)
    hull = cv2.convexHull(np.clip(np.rint(outline - 0.5), -16000, 16000).astype(np.int32))
    cv2.fillConvexPoly(canvas, hull, 1)
    near, far = camera.to_camera(torch.as_tensor(ends)).numpy()[:, 2]
    y, x = np.nonzero(canvas)
    along, length = axis[1] - axis[0], max(float(np.linalg.norm(axis[1] - axis[0])), 1.0)
    t = ((x + 0.5 - axis[0, 0]) * along[0] + (y + 0.5 - axis[0, 1]) * along[1]) / length**2
    depth[y, x] = near + np.clip(t, 0, 1) * (far - near)
    return depth


def _across(axis: Direction) -> tuple[Direction, Direction]:
    """Two unit vectors across a unit vector and across each other."""
    helper = np.eye(3)[np.abs(axis).argmin()]
    first = np.cross(axis, helper)
    first = first / np.linalg.norm(first)
    return first, np.cross(axis, first)

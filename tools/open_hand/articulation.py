"""How the fingers bend: hinge axes, synergies, a relaxed mean pose and joint limits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from kinematics import FINGER_ROOT, FINGERS, LONG_FINGERS, THUMB, forward, reject, rotation_matrices, unit
from model import HandModel
from scipy.linalg import null_space
from scipy.optimize import least_squares

FIST = (1.35, 1.70, 1.0)  # radians at knuckle, middle and end joint
RELAXED = {
    "index": (0.25, 0.35, 0.20),
    "middle": (0.30, 0.42, 0.22),
    "ring": (0.34, 0.46, 0.25),
    "pinky": (0.36, 0.42, 0.25),
}
RELAXED_THUMB = 0.2  # share of the closed thumb
FLEXION_LIMITS = ((-0.5, 1.6), (-0.15, 1.9), (-0.35, 1.45))
SPREAD_LIMITS = ((-0.4, 0.4), (-0.1, 0.1), (-0.1, 0.1))
TWIST_LIMITS = ((-0.2, 0.2), (-0.1, 0.1), (-0.1, 0.1))
THUMB_MARGIN = 0.5


@dataclass(frozen=True)
class PoseBasis:
    components: np.ndarray  # (45, 45) orthonormal rows, synergies first
    mean: np.ndarray  # (45,) relaxed hand
    lower: np.ndarray  # (45,)
    upper: np.ndarray  # (45,)
    fist: np.ndarray  # (45,)


def build_pose_basis(model: HandModel, nail_normals: np.ndarray) -> PoseBasis:
    """`nail_normals` (5, 3): outward directions of the nails, fingers in the order of `FINGERS`."""
    frames = bone_frames(model, nail_normals)
    close = {finger: _curl(frames, finger, FIST) for finger in LONG_FINGERS}
    fingers_closed = sum(close.values())
    thumb_closed = _closing_thumb(model, nail_normals, frames, fingers_closed)
    synergies = np.stack([fingers_closed, thumb_closed, *(close[f] for f in LONG_FINGERS[:3])])
    synergies = np.concatenate([synergies, _spread(frames)[None]])
    rows = np.linalg.qr(synergies.T)[0].T
    rows *= np.sign((rows * synergies).sum(1))[:, None]
    mean = sum(_curl(frames, f, RELAXED[f]) for f in LONG_FINGERS) + RELAXED_THUMB * thumb_closed
    lower, upper = _limits(frames, thumb_closed)
    return PoseBasis(np.concatenate([rows, null_space(rows).T]), mean, lower, upper, fingers_closed + thumb_closed)


def bone_frames(model: HandModel, nail_normals: np.ndarray) -> np.ndarray:
    """(15, 3, 3): per joint the flexion, spread and twist axes as rows."""
    joints, frames = model.joints, np.zeros((15, 3, 3))
    for finger, tip, nail in zip(FINGERS, model.tips, nail_normals, strict=True):
        root = FINGER_ROOT[finger]
        ends = [joints[root + 1], joints[root + 2], model.template[tip]]
        for joint, end in zip(range(root, root + 3), ends, strict=True):
            bone = unit(end - joints[joint])
            back = unit(reject(nail, bone))
            frames[joint - 1] = np.stack([np.cross(bone, -back), back, bone])
    return frames


def _curl(frames: np.ndarray, finger: str, angles: tuple[float, float, float]) -> np.ndarray:
    pose = np.zeros((15, 3))
    first = FINGER_ROOT[finger] - 1
    pose[first : first + 3] = frames[first : first + 3, 0] * np.array(angles)[:, None]
    return pose.reshape(-1)


def _spread(frames: np.ndarray) -> np.ndarray:
    """Fingers fanning out; about +back a right hand's finger turns toward the little finger."""
    pose = np.zeros((15, 3))
    for finger, share in zip(LONG_FINGERS, (-1.0, -0.2, 0.6, 1.2), strict=True):
        knuckle = FINGER_ROOT[finger] - 1
        pose[knuckle] = share * frames[knuckle, 1]
    return pose.reshape(-1)


def _closing_thumb(
    model: HandModel, nail_normals: np.ndarray, frames: np.ndarray, fingers_closed: np.ndarray
) -> np.ndarray:
    """Thumb pose that lays the thumb across the middle phalanges of a fist.

    Found by inverse kinematics rather than by a guessed axis: the saddle joint at the thumb's root
    turns about all three axes at once, its two outer joints are hinges.
    """
    rest = model.joints
    _, fist = forward(rotation_matrices(fingers_closed), rest)
    index_mid, middle_mid = fist[[2, 3]].mean(0), fist[[5, 6]].mean(0)
    outward = np.array([0.0, -1.0, 0.0])
    tip_target = middle_mid + 0.018 * outward + np.array([0.0, 0.0, 0.002])
    knuckle_target = index_mid + 0.019 * outward + np.array([0.0, 0.0, 0.010])
    tip_rest = model.template[model.tips[0]] - rest[THUMB + 2]

    def pose_of(x: np.ndarray) -> np.ndarray:
        pose = np.zeros((15, 3))
        pose[THUMB - 1] = x[:3]
        pose[THUMB] = frames[THUMB, 0] * x[3]
        pose[THUMB + 1] = frames[THUMB + 1, 0] * x[4]
        return pose.reshape(-1)

    def residual(x: np.ndarray) -> np.ndarray:
        turned, posed = forward(rotation_matrices(pose_of(x)), rest)
        end = turned[THUMB + 2]
        return np.concatenate(
            [
                (posed[THUMB + 2] + end @ tip_rest - tip_target) / 0.005,
                (posed[THUMB + 2] - knuckle_target) / 0.008,
                (end @ nail_normals[0] - outward) / 0.5,
                x / 2.0,
            ]
        )

    bounds = ([-1.3, -1.3, -1.3, 0.0, 0.0], [1.3, 1.3, 1.3, 0.9, 1.2])
    return pose_of(least_squares(residual, np.array([0.0, 0.0, 0.0, 0.3, 0.3]), bounds=bounds).x)


def _limits(frames: np.ndarray, thumb_closed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axis-angle boxes around what flexion, spread and twist can reach, treated as additive."""
    lower, upper = np.zeros((15, 3)), np.zeros((15, 3))
    for joint in range(15):
        place = joint % 3
        ranges = (FLEXION_LIMITS[place], SPREAD_LIMITS[place], TWIST_LIMITS[place])
        corners = np.array(list(itertools.product(*ranges))) @ frames[joint]
        lower[joint], upper[joint] = corners.min(0), corners.max(0)
    closed = thumb_closed.reshape(15, 3)[THUMB - 1]
    lower[THUMB - 1] = np.minimum(closed, 0) - THUMB_MARGIN
    upper[THUMB - 1] = np.maximum(closed, 0) + THUMB_MARGIN
    return lower.reshape(-1), upper.reshape(-1)

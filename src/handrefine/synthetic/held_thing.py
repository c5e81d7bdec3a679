"""A thing in the hand of a synthetic video: a box or a cylinder that moves with the palm."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from handrefine.mesh import MeshTopology
from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST
from handrefine.things import Thing

HeldKind = Literal["none", "box", "cylinder"]
#: Half the thickness of a palm, which lies between its joints and what it holds.
PALM_M = 0.014
#: Where the thing lies between wrist and middle knuckle.
ALONG_PALM = 0.85
_INDEX, _PINKY = JOINT_NAMES.index("index1"), JOINT_NAMES.index("pinky1")
_TIPS = [JOINT_NAMES.index(f"{finger}4") for finger in ("index", "middle", "ring", "pinky")]
_KNUCKLES = [JOINT_NAMES.index(f"{finger}1") for finger in ("index", "middle", "ring", "pinky")]
_SEGMENTS, _TEXELS = 32, 64


@dataclass(frozen=True, eq=False)
class HeldThing:
    """posed: its mesh and poses, which give `verts_world` (metres). texture: linear RGB reflectance, row 0 at the
    top."""

    posed: Thing
    topology: MeshTopology
    verts_world: Float[np.ndarray, "frame vertex 3"]
    texture: Float[np.ndarray, "height width 3"]


def held_thing(
    kind: Literal["box", "cylinder"], joints_world: Float[np.ndarray, "frame 21 3"], rng: np.random.Generator
) -> HeldThing:
    """A thing 12 to 15 cm long across the palm, in a colour that no skin has. Fingers that close pass into it."""
    length, radius = rng.uniform(0.12, 0.15), rng.uniform(0.018, 0.024)
    half = np.array([length / 2, radius, radius * (1.0 if kind == "cylinder" else rng.uniform(0.7, 1.0))])
    verts, faces = (_box if kind == "box" else _cylinder)(half)
    axes, middle = _palm(joints_world, half[2])
    verts_world = np.einsum("fij,vj->fvi", axes, verts) + middle[:, None]
    uv = (verts[:, [0, 1]] / (2 * half[:2]) + 0.5).clip(0, 1)
    posed = Thing(kind, lambda: (verts, faces), axes, middle)
    return HeldThing(posed, MeshTopology(len(verts), faces, uv, faces), verts_world, _paint(rng))


def _palm(
    joints_world: Float[np.ndarray, "frame 21 3"], half_depth_m: float
) -> tuple[Float[np.ndarray, "frame 3 3"], Float[np.ndarray, "frame 3"]]:
    """Axes as columns (across the palm, along it, out of it) and the middle of what is held."""
    wrist, knuckle = joints_world[:, WRIST], joints_world[:, MIDDLE_KNUCKLE]
    along = _unit(knuckle - wrist)
    across = joints_world[:, _INDEX] - joints_world[:, _PINKY]
    across = _unit(across - along * (across * along).sum(axis=1, keepdims=True))
    out = np.cross(across, along)
    bent = joints_world[:, _TIPS].mean(axis=1) - joints_world[:, _KNUCKLES].mean(axis=1)
    if (bent * out).sum() < 0:  # fingers bend to the side on which the palm holds
        out, across = -out, -across
    middle = wrist + ALONG_PALM * (knuckle - wrist) + (PALM_M + half_depth_m) * out
    return np.stack([across, along, out], axis=2), middle


def _unit(x: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _box(half: Float[np.ndarray, "3"]) -> tuple[np.ndarray, np.ndarray]:
    """Every side has vertices of its own: normals are smooth over shared ones."""
    corners, faces = [], []
    for axis in range(3):
        for sign in (-1, 1):
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            first = len(corners)
            corners += [sign * np.eye(3)[axis] + a * u + b * v for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            order = (0, 1, 2, 3) if sign > 0 else (3, 2, 1, 0)
            faces += [[first + order[k] for k in (0, 1, 2)], [first + order[k] for k in (0, 2, 3)]]
    return np.array(corners) * half, np.array(faces)


def _cylinder(half: Float[np.ndarray, "3"]) -> tuple[np.ndarray, np.ndarray]:
    """Its axis is x; the ends have vertices of their own."""
    angle = 2 * np.pi * np.arange(_SEGMENTS) / _SEGMENTS
    rim = np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    left, right = rim - np.eye(3)[0], rim + np.eye(3)[0]
    verts = np.concatenate([left, right, left, right, [[-1, 0, 0], [1, 0, 0]]])
    k, following = np.arange(_SEGMENTS), (np.arange(_SEGMENTS) + 1) % _SEGMENTS
    n = _SEGMENTS
    sides = [np.stack([k, following, n + following], axis=1), np.stack([k, n + following, n + k], axis=1)]
    ends = [
        np.stack([np.full(n, 4 * n), 2 * n + following, 2 * n + k], axis=1),
        np.stack([np.full(n, 4 * n + 1), 3 * n + k, 3 * n + following], axis=1),
    ]
    return verts * half, np.concatenate([*sides, *ends])


def _paint(rng: np.random.Generator) -> Float[np.ndarray, "height width 3"]:
    """Stripes of a green to violet, light and dark."""
    colours = np.array([[[rng.uniform(100, 280), rng.uniform(0.45, 0.8), value] for value in (0.75, 0.45)]])
    light, dark = cv2.cvtColor(colours.astype(np.float32), cv2.COLOR_HSV2RGB)[0].astype(np.float64) ** 2.2
    stripes = (np.arange(_TEXELS) // 8 % 2 == 0)[None, :, None]
    return np.broadcast_to(np.where(stripes, light, dark), (_TEXELS, _TEXELS, 3)).copy()

"""A smooth, irregularly sampled gesture of any MANO-like hand: finger poses, global rotation and translation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from handrefine.hand.model import HandModel
from handrefine.sequence import JOINT_NAMES, FrameId, ManoParameters, Side

#: Root joint of every finger among MANO's 15 finger joints.
MANO_FINGERS: Mapping[str, int] = {"index": 0, "middle": 3, "pinky": 6, "ring": 9, "thumb": 12}

#: Radians by which each finger's three joints bend from the flat hand, in the order of MANO_FINGERS.
_KEY_POSES: Mapping[str, tuple[tuple[float, float, float], ...]] = {
    "relaxed": (
        (0.35, 0.45, 0.25),
        (0.40, 0.50, 0.30),
        (0.45, 0.50, 0.30),
        (0.40, 0.50, 0.30),
        (0.15, 0.10, 0.15),
    ),
    "open": ((0.05, 0.10, 0.05), (0.05, 0.10, 0.05), (0.10, 0.10, 0.05), (0.08, 0.10, 0.05), (0.00, 0.00, 0.05)),
    "fist": ((1.10, 1.30, 0.70), (1.15, 1.35, 0.70), (1.15, 1.25, 0.70), (1.15, 1.30, 0.70), (0.20, 0.15, 0.30)),
    "pinch": ((0.75, 0.75, 0.40), (0.50, 0.55, 0.30), (0.25, 0.35, 0.20), (0.35, 0.45, 0.25), (0.45, 0.25, 0.35)),
    "point": ((0.05, 0.10, 0.05), (1.05, 1.30, 0.70), (1.10, 1.20, 0.65), (1.10, 1.30, 0.70), (0.25, 0.20, 0.30)),
}
#: Radians by which the fingers fan out about the palm's normal when the hand is open.
_SPREAD = {"index": 0.12, "middle": 0.03, "ring": -0.08, "pinky": -0.18, "thumb": 0.0}
#: Axis about which a right thumb closes over the palm.
_THUMB_AXIS = np.array([0.45, -0.8, 0.4]) / math.hypot(0.45, 0.8, 0.4)

_KEY_POSES_PER_FRAME = 0.25


def frame_numbers(n_frames: int, rng: np.random.Generator, *, largest_gap: int) -> tuple[FrameId, ...]:
    """Ascending numbers with gaps of 1 to `largest_gap` steps of three: a dataset that skips frames."""
    return tuple(FrameId(int(v)) for v in 100 + np.cumsum(3 * rng.integers(1, largest_gap + 1, size=n_frames)))


def gesture_time(frames: tuple[FrameId, ...]) -> Float[np.ndarray, " frame"]:
    """Frame numbers as a time that starts at 0 and takes about 1 a frame: gaps are faster motion."""
    numbers = np.array(frames, dtype=np.float64)
    return (numbers - numbers[0]) / max((numbers[-1] - numbers[0]) / max(len(numbers) - 1, 1), 1.0)


def with_abrupt_move(time: Float[np.ndarray, " frame"], rng: np.random.Generator) -> Float[np.ndarray, " frame"]:
    """The same time with a jump before one frame: three frames' worth of motion at once."""
    if len(time) == 1:
        return time
    return time + 3.0 * (np.arange(len(time)) >= rng.integers(1, len(time)))


def finger_gesture(
    rest_joints: Float[np.ndarray, "21 3"], side: Side, time: Float[np.ndarray, " frame"], rng: np.random.Generator
) -> Float[np.ndarray, "frame 45"]:
    """Finger rotations (axis-angle, relative to the flat hand) that pass through random key poses.

    Works for every model in MANO's frame (fingers along -x on a right hand, the back of the hand towards +y):
    a finger bends about the axis that is perpendicular to its own first bone and to the palm's normal.

    Args:
        rest_joints: joints of the flat hand, in the order of `JOINT_NAMES`.
        time: of every frame, see `gesture_time`; the gesture is a smooth function of it.
    """
    names = ["relaxed", *rng.permutation([name for name in _KEY_POSES if name != "relaxed"])]
    keys = np.stack([_key_pose(name, rest_joints, side, rng) for name in names])
    keys = np.concatenate([keys, keys[-2::-1]])  # and back again
    progress = time * _KEY_POSES_PER_FRAME
    knots = np.arange(len(keys))
    period = len(keys) - 1
    return PchipInterpolator(knots, keys, axis=0)((progress + rng.uniform(0.1, 0.6)) % period)


def global_motion(
    side: Side, time: Float[np.ndarray, " frame"], rng: np.random.Generator, *, turn: float | None = None
) -> tuple[Float[np.ndarray, "frame 3"], Float[np.ndarray, "frame 3"]]:
    """Global rotation (axis-angle) and translation in metres of a hand held up, its fingers towards +y.

    The hand turns by some 0.3 rad and moves by a few centimetres.

    Args:
        turn: rotation about +y in radians; random when missing. At 0 a right palm faces -x and a left palm +x.
    """
    fingers_up = np.array([0.0, 0.0, -math.pi / 2 if side == "right" else math.pi / 2])
    tilt, any_turn = rng.normal(0, 0.2, 3), rng.uniform(-math.pi, math.pi)
    base = _compose(tilt, _compose(np.array([0.0, any_turn if turn is None else turn, 0.0]), fingers_up))
    phase, speed = rng.uniform(0, 2 * math.pi, (2, 3)), rng.uniform(0.25, 0.6, (2, 3))
    swing = np.sin(phase[0] + speed[0] * time[:, None]) * rng.uniform(0.1, 0.25, 3)
    trans_m = rng.normal(0, 0.15, 3) + np.sin(phase[1] + speed[1] * time[:, None]) * rng.uniform(0.004, 0.015, 3)
    return np.stack([_compose(s, base) for s in swing]), trans_m


@dataclass(frozen=True, eq=False)
class MovingHand:
    """One hand over time: its true parameters and what they pose."""

    mano: ManoParameters
    verts_world: Float[np.ndarray, "frame vertex 3"]
    joints_world: Float[np.ndarray, "frame 21 3"]

    def shifted(self, by_m: Float[np.ndarray, "3"]) -> "MovingHand":
        """The same gesture elsewhere."""
        mano = replace(self.mano, trans_m=self.mano.trans_m + by_m)
        return MovingHand(mano, self.verts_world + by_m, self.joints_world + by_m)


def moving_hand(
    hand: HandModel,
    betas: Float[np.ndarray, "10"],
    time: Float[np.ndarray, " frame"],
    rng: np.random.Generator,
    turn: float | None,
) -> MovingHand:
    """A hand of this shape through a random gesture; `turn` as of `global_motion`."""
    rest = _posed(hand, np.zeros((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)), flat_hand_mean=True)
    fingers = finger_gesture(rest[1][0], hand.side, time, rng)
    rotation, trans_m = global_motion(hand.side, time, rng, turn=turn)
    pose_aa = np.concatenate([rotation, fingers - hand.hands_mean.detach().cpu().numpy()], axis=1)
    shape = np.tile(betas, (len(time), 1))
    verts_world, joints_world = _posed(hand, pose_aa, shape, trans_m, flat_hand_mean=False)
    mano = ManoParameters(pose_aa, shape, trans_m, flat_hand_mean=False, open_hand=hand.open_hand)
    return MovingHand(mano, verts_world, joints_world)


def _key_pose(
    name: str, rest_joints: Float[np.ndarray, "21 3"], side: Side, rng: np.random.Generator
) -> Float[np.ndarray, "45"]:
    mirror = 1.0 if side == "right" else -1.0  # a reflection in x keeps an axis' x component and turns y and z
    palm_normal = np.array([0.0, 1.0, 0.0])
    pose = np.zeros((15, 3))
    for (finger, root), bends in zip(MANO_FINGERS.items(), _KEY_POSES[name], strict=True):
        k = JOINT_NAMES.index(f"{finger}1")
        bone = rest_joints[k + 1] - rest_joints[k]
        axis = np.cross(palm_normal, bone)
        axis = _THUMB_AXIS * [1.0, mirror, mirror] if finger == "thumb" else axis / np.linalg.norm(axis)
        pose[root : root + 3] = axis * (np.array(bends) + rng.normal(0, 0.04, 3))[:, None]
        openness = 1.0 if name == "open" else 0.2
        pose[root] += palm_normal * mirror * (openness * _SPREAD[finger] + rng.normal(0, 0.02))
    return pose.ravel()


def _compose(second: Float[np.ndarray, "3"], first: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return roma.rotvec_composition([torch.as_tensor(second), torch.as_tensor(first)]).numpy()


def _posed(
    hand: HandModel, pose_aa: np.ndarray, shape: np.ndarray, trans_m: np.ndarray, *, flat_hand_mean: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints as float64 arrays."""
    like = {"dtype": hand.hands_mean.dtype, "device": hand.hands_mean.device}
    with torch.no_grad():
        out = hand(
            *(torch.as_tensor(values, **like) for values in (pose_aa, shape, trans_m)),
            flat_hand_mean=flat_hand_mean,
        )
    return out.verts_world.double().cpu().numpy(), out.joints_world.double().cpu().numpy()

"""A start for frames without annotation: between two annotated ones, from these."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from handrefine.hand.model import HandModel
from handrefine.sequence import FrameId, FrameIndex, ManoParameters


def gaps(known: list[FrameIndex], most: int) -> list[FrameIndex]:
    """The positions between two known ones, where at most so many lie between these.

    Args:
        known: ascending.
    """
    between = (range(a + 1, b) for a, b in pairwise(known))
    return [FrameIndex(k) for gap in between if len(gap) <= most for k in gap]


def interpolated(
    mano: ManoParameters, frames: list[FrameId], wanted: list[FrameId], hand: HandModel
) -> ManoParameters:
    """The hand at other frames: every joint turns at a constant rate about one axis, all else moves linearly.

    Frames count as times.

    Args:
        frames: those of the parameters, ascending. wanted: within these.
    """
    mean = np.zeros(48)
    if not mano.flat_hand_mean:
        mean[3:] = hand.hands_mean.detach().cpu().numpy()

    def linear(values: Float[np.ndarray, "frame n"]) -> Float[np.ndarray, "wanted n"]:
        return np.stack([np.interp(wanted, frames, column) for column in values.T], axis=1)

    turns = (mano.pose_aa + mean).reshape(len(frames), 16, 3)
    between = [Slerp(frames, Rotation.from_rotvec(turns[:, joint]))(wanted).as_rotvec() for joint in range(16)]
    pose_aa = np.stack(between, axis=1).reshape(len(wanted), 48) - mean
    return replace(mano, pose_aa=pose_aa, shape=linear(mano.shape), trans_m=linear(mano.trans_m))

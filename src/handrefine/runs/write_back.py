"""The refined hands as the dataset's own annotation."""

import logging
from pathlib import Path

import numpy as np

from handrefine.runs.result import HandResult, RunResult
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters

log = logging.getLogger(__name__)


def refined_annotation(hand: HandResult, sequence: HandSequence) -> HandAnnotation:
    """The sequence's annotation of this hand with the refined frames replaced, which are found by their numbers.

    Raises:
        InputError: the sequence has no such hand.
        ValueError: a refined frame is not one of the sequence's.
    """
    count, indices = len(sequence.frames), [sequence.frames.index(frame) for frame in hand.frames]
    old, refined = sequence.annotation(hand.side), hand.after.mano

    def filled(values: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        full = np.zeros((count, *values.shape[1:])) if before is None else before.copy()
        full[indices] = values
        return full

    kept = None if hand.other_model else old.mano
    valid = np.zeros(count, bool) if kept is None or old.mano_valid is None else old.mano_valid.copy()
    valid[indices] = True
    joints = hand.after.joints_world.astype(np.float64)
    all_joints = np.ones_like(joints[..., 0], bool)
    mano = ManoParameters(
        filled(refined.pose_aa, kept.pose_aa if kept else None),
        filled(refined.shape, kept.shape if kept else None),
        filled(refined.trans_m, kept.trans_m if kept else None),
        flat_hand_mean=refined.flat_hand_mean,
        open_hand=hand.open_hand,
    )
    return HandAnnotation(
        side=old.side,
        mano=mano,
        mano_pca=None if hand.pca_components is None else mano.in_components(hand.pca_components),
        mano_valid=valid,
        joints_world=filled(joints, old.joints_world),
        joint_valid=None if old.joint_valid is None else filled(all_joints, old.joint_valid),
    )


def write_dataset(result: RunResult, sequence: HandSequence, folder: Path) -> None:
    """The refined annotations in the dataset's own format, where it has a writer."""
    if sequence.write_back is None:
        return
    if any(hand.open_hand and hand.other_model for hand in result.hands):
        log.warning("no dataset/ is written: its users expect parameters of the official MANO model")
        return
    sequence.write_back(sequence, {hand.side: refined_annotation(hand, sequence) for hand in result.hands}, folder)

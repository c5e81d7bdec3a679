"""Where a refinement starts: the dataset's MANO annotation, or MANO fitted to its joints."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.config import HandConfig
from handrefine.errors import InputError
from handrefine.hand.fit import fit_to_joints
from handrefine.hand.model import HandModel
from handrefine.refine.annotation import in_terms_of, load_hand, of_another_model, posed_joints
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters, Side

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Start:
    """The instants of a sequence at which one hand is annotated, and its MANO parameters there.

    joint_residual_mm: mean distance of the fit to the joints; None where the dataset had MANO parameters.
    """

    hand: HandModel
    frame_indices: list[int]
    parameters: ManoParameters
    joint_residual_mm: float | None


def find_start(sequence: HandSequence, side: Side, config: HandConfig) -> Start:
    """Load the hand model and take or fit its parameters.

    Raises:
        InputError: the hand is not annotated at any instant.
    """
    hand = load_hand(side, sequence, config)
    annotation = in_terms_of(hand, sequence)
    if annotation.mano is not None:
        return _from_mano(hand, annotation, sequence)
    return _from_joints(hand, annotation, sequence)


def other_joints(
    sequence: HandSequence, side: Side, frame_indices: list[int], config: HandConfig
) -> Float[Tensor, "frame 21 3"] | None:
    """The other hand's joints at the given instants, NaN where nothing is known; None without another hand."""
    other: Side = "left" if side == "right" else "right"
    annotation = sequence.annotations.get(other)
    if annotation is None:
        return None
    joints = np.full((len(sequence.frames), 21, 3), np.nan)
    if annotation.joints_world is not None:
        valid = _joint_valid(annotation)
        joints = np.where(valid[..., None], annotation.joints_world, np.nan)
    elif annotation.mano is not None:
        hand = load_hand(other, sequence, replace(config, model_file=_model_folder(config)))
        if hand.open_hand and of_another_model(hand, sequence):
            log.warning("the %s hand is left out: it has parameters of the official MANO model only", other)
            return None
        told = in_terms_of(hand, sequence)
        if told.mano is None:
            targets, valid = joint_targets(told, sequence)
            joints = np.where(valid[..., None], targets, np.nan)
        else:
            start = _from_mano(hand, told, sequence)
            joints[start.frame_indices] = posed_joints(start.hand, start.parameters)
    return torch.tensor(joints[frame_indices], dtype=torch.float32)


def select(parameters: ManoParameters, indices: list[int]) -> ManoParameters:
    """The parameters at some of the instants."""
    return ManoParameters(
        pose_aa=parameters.pose_aa[indices],
        shape=parameters.shape[indices],
        trans_m=parameters.trans_m[indices],
        flat_hand_mean=parameters.flat_hand_mean,
    )


def _from_mano(hand: HandModel, annotation: HandAnnotation, sequence: HandSequence) -> Start:
    parameters = annotation.mano
    if parameters is None:
        raise ValueError("the annotation holds no MANO parameters")
    valid = annotation.mano_valid
    indices = list(range(len(sequence.frames))) if valid is None else np.flatnonzero(valid).tolist()
    if not indices:
        raise InputError(f"the {annotation.side} hand has MANO parameters at no instant", where=sequence.name)
    return Start(hand, indices, select(parameters, indices), None)


def joint_targets(
    annotation: HandAnnotation, sequence: HandSequence
) -> tuple[Float[Tensor, "frame 21 3"], Bool[Tensor, "frame 21"]]:
    """The annotated joints, zero where nothing is known, and where something is.

    Raises:
        InputError: the annotation holds no joints.
    """
    if annotation.joints_world is None:
        raise InputError(f"the {annotation.side} hand has neither MANO parameters nor joints", where=sequence.name)
    valid = _joint_valid(annotation)
    return torch.tensor(np.where(valid[..., None], annotation.joints_world, 0.0)), torch.tensor(valid)


def _from_joints(hand: HandModel, annotation: HandAnnotation, sequence: HandSequence) -> Start:
    fit = fit_to_joints(hand, *joint_targets(annotation, sequence))
    indices = np.flatnonzero(fit.mano_valid).tolist()
    residual_mm = float(np.nanmean(fit.residual_mm[indices]))
    log.info("MANO fitted to the joints of %d instants: mean residual %.2f mm", len(indices), residual_mm)
    return Start(hand, indices, select(fit.parameters, indices), residual_mm)


def _joint_valid(annotation: HandAnnotation) -> np.ndarray:
    if annotation.joints_world is None:
        raise ValueError("the annotation holds no joints")
    finite = np.isfinite(annotation.joints_world).all(axis=-1)
    return finite & (True if annotation.joint_valid is None else annotation.joint_valid)


def _model_folder(config: HandConfig):
    """The other hand's model lies beside the one that was named; the open hand where none was."""
    file = config.model_file
    return file if file is None or file.is_dir() else file.parent

"""Where a refinement starts: the dataset's annotation in the terms of the hand model that is at hand.

That is its MANO parameters, or MANO fitted to its joints.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.config import HandConfig
from handrefine.hand.fit import fit_to_joints
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import FrameIndex, HandAnnotation, HandSequence, ManoParameters, Side

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Initialization:
    """The frames of a sequence at which one hand is annotated, and its MANO parameters there.

    joint_residual_mm: mean distance of the fit to the joints; None where the dataset had MANO parameters.
    """

    hand: HandModel
    frame_indices: list[FrameIndex]
    parameters: ManoParameters
    joint_residual_mm: float | None


def initialize(sequence: HandSequence, side: Side, config: HandConfig) -> Initialization:
    """Load the hand model and take or fit its parameters.

    Raises:
        InputError: the hand is not annotated at any frame, or as `load_hand` and `in_terms_of`.
    """
    hand = load_hand(side, sequence, config)
    annotation = in_terms_of(hand, sequence)
    if annotation.mano is not None:
        return _from_mano(hand, annotation, annotation.mano, sequence)
    return _from_joints(hand, annotation, sequence)


def load_hand(side: Side, sequence: HandSequence, config: HandConfig) -> HandModel:
    """The hand model of a run, with the left shape directions of the dataset's annotators or as configured.

    Raises:
        InputError: as `load_hand_model`.
    """
    fix = sequence.fix_left_shape if config.fix_left_shape is None else config.fix_left_shape
    return load_hand_model(side, config.model_file, fix_left_shape=fix)


def in_terms_of(hand: HandModel, sequence: HandSequence) -> HandAnnotation:
    """The annotation of the model's side, its coefficients of principal components expanded to angles.

    Parameters of the official MANO files mean nothing to the open hand, which is left with the joints.

    Raises:
        InputError: the hand is not annotated, or the open hand cannot follow the annotation.
    """
    annotation = sequence.annotation(hand.side)
    has_mano = annotation.mano is not None or annotation.mano_pca is not None
    if has_mano and sequence.official_mano and hand.open_hand:
        if annotation.joints_world is None:
            raise InputError(
                "the annotation consists of parameters of the official MANO model, which is not there",
                where=f"{sequence.name}, {hand.side} hand",
                fix="register at mano.is.tue.mpg.de and give the model's folder: --hand.model-file",
            )
        log.warning(
            "the annotation's MANO parameters belong to the official model: the open hand is fitted to the joints"
        )
        return replace(annotation, mano=None, mano_pca=None, mano_valid=None)
    if annotation.mano is None and annotation.mano_pca is not None:
        return replace(annotation, mano=annotation.mano_pca.in_angles(hand.pca_components), mano_pca=None)
    return annotation


def other_joints(sequence: HandSequence, side: Side, config: HandConfig) -> Float[Tensor, "frame 21 3"] | None:
    """The joints of the person's other hand at all frames of the sequence, in metres.

    Those that the dataset has, else those of its MANO parameters; NaN where nothing is known, None where the
    dataset says nothing of another hand.
    """
    other: Side = "left" if side == "right" else "right"
    annotation = sequence.annotations.get(other)
    if annotation is None:
        return None
    joints = np.full((len(sequence.frames), 21, 3), np.nan)
    if annotation.joints_world is not None:
        joints = np.where(_joint_valid(annotation)[..., None], annotation.joints_world, np.nan)
    elif annotation.mano is not None:
        posed = initialize(sequence, other, replace(config, model_file=_model_folder(config)))
        joints[posed.frame_indices] = _joints(posed.hand, posed.parameters)
    return torch.tensor(joints, dtype=torch.float32)


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


def _from_mano(
    hand: HandModel, annotation: HandAnnotation, parameters: ManoParameters, sequence: HandSequence
) -> Initialization:
    valid = annotation.mano_valid
    indices = [k for k in sequence.positions if valid is None or valid[k]]
    if not indices:
        raise InputError(f"the {annotation.side} hand has MANO parameters at no frame", where=sequence.name)
    return Initialization(hand, indices, parameters.at(indices), None)


def _from_joints(hand: HandModel, annotation: HandAnnotation, sequence: HandSequence) -> Initialization:
    fit = fit_to_joints(hand, *joint_targets(annotation, sequence))
    indices = [k for k in sequence.positions if fit.mano_valid[k]]
    residual_mm = float(np.nanmean(fit.residual_mm[indices]))
    log.info("MANO fitted to the joints of %d frames: mean residual %.2f mm", len(indices), residual_mm)
    return Initialization(hand, indices, fit.parameters.at(indices), residual_mm)


def _joint_valid(annotation: HandAnnotation) -> Bool[np.ndarray, "frame 21"]:
    """Where joints are labelled and finite."""
    if annotation.joints_world is None:
        raise ValueError("the annotation holds no joints")
    finite = np.isfinite(annotation.joints_world).all(axis=-1)
    return finite & (True if annotation.joint_valid is None else annotation.joint_valid)


def _model_folder(config: HandConfig) -> Path | None:
    """The other hand's model lies beside the one that was named; the open hand where none was."""
    file = config.model_file
    return file if file is None or file.is_dir() else file.parent


@torch.no_grad()
def _joints(hand: HandModel, parameters: ManoParameters) -> Float[np.ndarray, "frame 21 3"]:
    tensors = [
        torch.tensor(a, dtype=torch.float32) for a in (parameters.pose_aa, parameters.shape, parameters.trans_m)
    ]
    return hand(*tensors, flat_hand_mean=parameters.flat_hand_mean).joints_world.numpy()

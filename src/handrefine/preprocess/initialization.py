"""Where a refinement starts: the dataset's annotation in the terms of the hand model that is at hand.

That is its MANO parameters, or MANO fitted to its joints.
"""

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.config import HandConfig
from handrefine.hand.fit import FitSettings, JointFit, fit_to_joints
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.preprocess.fill import gaps, interpolated
from handrefine.sequence import JOINT_NAMES, FrameIndex, HandAnnotation, HandSequence, ManoParameters, Side

log = logging.getLogger(__name__)
#: Poses are off by a centimetre at most; joints of another hand model by many, but by no more than a hand.
OTHER_MODEL_M, NO_MODEL_M = 0.03, 0.3


@dataclass(frozen=True, eq=False)
class Initialization:
    """The frames of a sequence at which one hand is annotated, and its MANO parameters there.

    joint_residual_mm: mean distance of the fit to the joints; None where the dataset had MANO parameters.
    residual_by_joint_mm: the same of every joint that is known at some frame.
    other_model: the dataset's parameters belong to another hand model, and its joints were followed instead.
    filled: those of the frames of which the dataset says nothing, between others.
    """

    hand: HandModel
    frame_indices: list[FrameIndex]
    parameters: ManoParameters
    joint_residual_mm: float | None
    residual_by_joint_mm: Mapping[str, float] = field(default_factory=dict)
    other_model: bool = False
    filled: tuple[FrameIndex, ...] = ()

    def placed(self, place: Mapping[FrameIndex, FrameIndex]) -> "Initialization":
        """The same where positions count anew."""
        frame_indices, filled = [place[k] for k in self.frame_indices], tuple(place[k] for k in self.filled)
        return replace(self, frame_indices=frame_indices, filled=filled)


def initialize(sequence: HandSequence, side: Side, config: HandConfig) -> Initialization:
    """Load the hand model and take or fit its parameters.

    Raises:
        InputError: the hand is not annotated at any frame, or as `load_hand` and `in_terms_of`.
    """
    hand = load_hand(side, sequence, config)
    annotation = in_terms_of(hand, sequence)
    if annotation.mano is not None:
        return _filled(_from_mano(hand, annotation, annotation.mano, sequence), sequence, config)
    other_model = of_another_model(hand, sequence)
    start = _filled(_from_joints(hand, annotation, sequence, config), sequence, config)
    return replace(start, other_model=other_model)


def load_hand(side: Side, sequence: HandSequence, config: HandConfig) -> HandModel:
    """The hand model of a run, with the left shape directions of the dataset's annotators or as configured.

    Raises:
        InputError: as `load_hand_model`.
    """
    fix = sequence.fix_left_shape if config.fix_left_shape is None else config.fix_left_shape
    return load_hand_model(side, config.model_file, fix_left_shape=fix)


def of_another_model(hand: HandModel, sequence: HandSequence) -> bool:
    """Whether the sequence's MANO parameters belong to another hand model than this one.

    The dataset's reader says so. Besides, parameters that put the open hand centimetres away from the joints of
    the same annotation cannot be its own. (Where they are farther away than any hand model's, something else is
    wrong, of which `odd_parameters` tells.)

    Raises:
        InputError: the hand is not annotated.
    """
    mano = sequence.annotation(hand.side).mano
    if not hand.open_hand:
        return mano is not None and mano.open_hand
    if sequence.official_mano:
        return True
    apart_m = _median_distance_m(hand, sequence.annotation(hand.side))
    return apart_m is not None and OTHER_MODEL_M < apart_m < NO_MODEL_M


def in_terms_of(hand: HandModel, sequence: HandSequence) -> HandAnnotation:
    """The annotation of the model's side, its coefficients of principal components expanded to angles.

    Parameters of another hand model mean nothing to this one, which is left with the joints: the annotation's own,
    or else those of the open hand, if the parameters are its.

    Raises:
        InputError: the hand is not annotated, or the open hand cannot follow the annotation.
    """
    annotation = sequence.annotation(hand.side)
    has_mano = annotation.mano is not None or annotation.mano_pca is not None
    if has_mano and of_another_model(hand, sequence):
        owner, follower = ("official model", "open hand") if hand.open_hand else ("open hand", "given hand model")
        if hand.open_hand and annotation.joints_world is None:
            raise InputError(
                "the annotation consists of parameters of the official MANO model, which is not there",
                where=f"{sequence.name}, {hand.side} hand",
                fix="register at mano.is.tue.mpg.de and give the model's folder: --hand.model-file",
            )
        log.warning(
            "the annotation's MANO parameters belong to the %s: the %s is fitted to the joints", owner, follower
        )
        if annotation.joints_world is None:
            annotation = _with_joints_of_open_hand(annotation)
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
        hand = load_hand(other, sequence, replace(config, model_file=_model_folder(config)))
        if hand.open_hand and of_another_model(hand, sequence):
            log.warning("the %s hand is left out: it has parameters of the official MANO model only", other)
            return None
        told = in_terms_of(hand, sequence)
        if told.mano is None:
            targets, valid = joint_targets(told, sequence)
            joints = np.where(valid[..., None], targets, np.nan)
        else:
            posed = _from_mano(hand, told, told.mano, sequence)
            joints[posed.frame_indices] = posed_joints(posed.hand, posed.parameters)
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
    return Initialization(hand, indices, shortest(parameters.at(indices), hand), None)


def fit_annotation(
    hand: HandModel, annotation: HandAnnotation, sequence: HandSequence, config: HandConfig
) -> JointFit:
    """The hand fitted to an annotation's joints, taken for what is configured.

    Raises:
        InputError: the annotation holds no joints, or too few at every frame.
    """
    settings = FitSettings(convention=config.joints)
    return fit_to_joints(hand, *joint_targets(annotation, sequence), settings)


def shortest(mano: ManoParameters, hand: HandModel) -> ManoParameters:
    """The same hand with every rotation as its shortest axis-angle vector.

    A vector and one that is longer by whole turns are the same rotation, but priors and limits on angles would
    judge them differently. Shortest ones keep every digit.
    """
    mean = np.zeros(48)
    if not mano.flat_hand_mean:
        mean[3:] = hand.hands_mean.detach().cpu().numpy()
    vectors = (mano.pose_aa + mean).reshape(-1, 16, 3)
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    turns = np.asarray(np.round(angle / (2 * np.pi)))
    if not turns.any():
        return mano
    shorter = np.where(turns > 0, vectors * (1 - turns * 2 * np.pi / np.maximum(angle, 1e-9)), vectors)
    pose_aa = np.where(np.repeat(turns[..., 0], 3, axis=1) > 0, shorter.reshape(-1, 48) - mean, mano.pose_aa)
    return replace(mano, pose_aa=pose_aa)


def _filled(start: Initialization, sequence: HandSequence, config: HandConfig) -> Initialization:
    """With the frames in the gaps that are to be filled."""
    known, filled = start.frame_indices, gaps(start.frame_indices, config.fill)
    if not filled:
        return start
    annotated, wanted = ([sequence.frames[k] for k in of] for of in (known, filled))
    between = interpolated(start.parameters, annotated, wanted, start.hand)
    order = np.argsort([*known, *filled])

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(of, name) for of in (start.parameters, between)])[order]

    parameters = replace(start.parameters, pose_aa=both("pose_aa"), shape=both("shape"), trans_m=both("trans_m"))
    log.info("%d frames of the %s hand start between their neighbours", len(filled), start.hand.side)
    return replace(start, frame_indices=sorted([*known, *filled]), parameters=parameters, filled=tuple(filled))


def _from_joints(
    hand: HandModel, annotation: HandAnnotation, sequence: HandSequence, config: HandConfig
) -> Initialization:
    fit = fit_annotation(hand, annotation, sequence, config)
    indices = [k for k in sequence.positions if fit.mano_valid[k]]
    residual_mm = fit.residual_mm[indices]
    log.info(
        "MANO fitted to the joints of %d frames, taken for %s: mean residual %.2f mm",
        len(indices),
        "the model's own" if fit.convention == "model" else "landmarks",
        np.nanmean(residual_mm),
    )
    by_joint = {
        name: float(np.nanmean(residual_mm[:, k]))
        for k, name in enumerate(JOINT_NAMES)
        if np.isfinite(residual_mm[:, k]).any()
    }
    mean_mm = float(np.nanmean(residual_mm))
    return Initialization(hand, indices, fit.parameters.at(indices), mean_mm, by_joint)


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


def posed_joints(hand: HandModel, mano: ManoParameters) -> Float[np.ndarray, "frame 21 3"]:
    """The joints of the hand with these parameters, metres, in the world frame."""
    tensors = [torch.tensor(a, dtype=torch.float32) for a in (mano.pose_aa, mano.shape, mano.trans_m)]
    with torch.no_grad():
        return hand(*tensors, flat_hand_mean=mano.flat_hand_mean).joints_world.numpy()


def _median_distance_m(hand: HandModel, annotation: HandAnnotation) -> float | None:
    """Between the posed and the annotated joints; None where the annotation does not hold both at one frame."""
    mano, joints_world = annotation.mano, annotation.joints_world
    if mano is None or joints_world is None:
        return None
    known = _joint_valid(annotation)
    known &= True if annotation.mano_valid is None else annotation.mano_valid[:, None]
    cpu = copy.deepcopy(hand).to("cpu", torch.float32)
    distance_m = np.linalg.norm(posed_joints(cpu, mano) - joints_world, axis=-1)[known]
    return float(np.median(distance_m)) if len(distance_m) else None


def _with_joints_of_open_hand(annotation: HandAnnotation) -> HandAnnotation:
    """The same annotation with the joints that its parameters give the open hand."""
    if annotation.mano is None:
        raise ValueError("the annotation holds no parameters of the open hand")
    joints_world = posed_joints(load_hand_model(annotation.side), annotation.mano).astype(np.float64)
    known = np.ones(len(joints_world), bool) if annotation.mano_valid is None else annotation.mano_valid
    return replace(annotation, joints_world=joints_world, joint_valid=np.repeat(known[:, None], 21, axis=1))

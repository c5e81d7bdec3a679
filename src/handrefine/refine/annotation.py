"""A dataset's annotation in the terms of the hand model that is at hand."""

import copy
import logging
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from handrefine.config import HandConfig
from handrefine.errors import InputError
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters, Side

log = logging.getLogger(__name__)
#: Annotated poses are off by a centimetre at most; joints of another hand model by many.
OTHER_MODEL_M = 0.03


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
    the same annotation cannot be its own.

    Raises:
        InputError: the hand is not annotated.
    """
    mano = sequence.annotation(hand.side).mano
    if not hand.open_hand:
        return mano is not None and mano.open_hand
    if sequence.official_mano:
        return True
    apart_m = _median_distance_m(hand, sequence.annotation(hand.side))
    return apart_m is not None and apart_m > OTHER_MODEL_M


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
    known = np.isfinite(joints_world).all(axis=-1)
    known &= True if annotation.joint_valid is None else annotation.joint_valid
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

"""A dataset's annotation in the terms of the hand model that is at hand."""

import logging
from dataclasses import replace

from handrefine.config import HandConfig
from handrefine.errors import InputError
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.sequence import HandAnnotation, HandSequence, Side

log = logging.getLogger(__name__)


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

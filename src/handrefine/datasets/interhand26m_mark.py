"""Whose hand model InterHand2.6M's MANO parameters are: the official one's, unless a small file says otherwise.

`handrefine.json` beside the annotation files holds `{"hand_model": "open"}` where the parameters in
`InterHand2.6M_{split}_MANO_NeuralAnnot.json` are those of the embedded open hand. The published dataset has no
such file, and other programs do not read it; videos that handrefine makes always have it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from handrefine.datasets.parsing import read_json_object, require
from handrefine.errors import InputError
from handrefine.sequence import HandAnnotation, Side

_NAME, _KEY, _OPEN, _OFFICIAL = "handrefine.json", "hand_model", "open", "official"


def mark_path(mano_file: Path) -> Path:
    return mano_file.with_name(_NAME)


def says_open_hand(mano_file: Path, *, published: bool) -> bool:
    """Whether the parameters in this file are marked as the open hand's.

    Args:
        published: the dataset's own video; one that handrefine made must be marked.

    Raises:
        InputError: the mark is broken, names a hand model that is not known, or is missing.
    """
    path = mark_path(mano_file)
    if not path.exists():
        if published:
            return False
        raise InputError(
            "a synthetic video does not say whose hand model its parameters are: an earlier version made it",
            where=path,
            expected=json.dumps({_KEY: _OPEN}),
            found="no such file",
            fix=f"write that into the file ({_OFFICIAL} if it was made with --hand.model-file), or synthesize the"
            " video again",
        )
    model = require(read_json_object(path), _KEY, str(path))
    if model not in (_OPEN, _OFFICIAL):
        raise InputError(
            "a hand model is not known", where=f"{path}, {_KEY}", expected=f"{_OPEN} or {_OFFICIAL}", found=model
        )
    return model == _OPEN


def mark_of(mano_file: Path, *, open_hand: bool, published: bool) -> dict[Path, dict[str, str]]:
    """The mark to write with parameters: none for official ones of the dataset's own videos, unless an earlier
    mark must be taken back."""
    path = mark_path(mano_file)
    if published and not open_hand and not path.exists():
        return {}
    return {path: {_KEY: _OPEN if open_hand else _OFFICIAL}}


def all_of_open_hand(annotations: Mapping[Side, HandAnnotation]) -> bool:
    """Whether the MANO parameters of these hands are the open hand's.

    Raises:
        InputError: some are and some are not; one file cannot hold both.
    """
    models = {annotation.mano.open_hand for annotation in annotations.values() if annotation.mano is not None}
    if len(models) > 1:
        raise InputError("parameters of two hand models cannot stand in one file", where=", ".join(annotations))
    return True in models

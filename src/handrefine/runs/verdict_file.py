"""`verdict.json`: what was said of every frame of one hand, in the order of the frames."""

from collections.abc import Mapping
from typing import Any

from handrefine.errors import InputError
from handrefine.io.text_files import read_json
from handrefine.runs.layout import RunLayout
from handrefine.sequence import FrameId


def read_verdicts(layout: RunLayout) -> dict[FrameId, Mapping[str, Any]]:
    """The verdicts on one hand by frame number; none where the run was not judged frame by frame.

    Raises:
        InputError: the file is broken.
    """
    path = layout.verdict
    if not path.is_file():
        return {}
    try:
        return {FrameId(int(of["frame"])): _checked(of) for of in read_json(path)["frames"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("a verdict is broken", where=path, found=repr(error)) from error


def _checked(of: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(of["verdict"], str):
        raise TypeError(of["verdict"])
    return {
        **of,
        "confidence": float(of["confidence"]),
        "beyond": float(of["beyond"]),
        "better": float(of["better"]),
    }

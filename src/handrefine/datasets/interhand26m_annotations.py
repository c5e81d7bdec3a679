"""InterHand2.6M's annotation of either hand: joints of joint_3d.json, MANO parameters of MANO_NeuralAnnot.json."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.datasets.interhand26m_layout import JOINT_ROWS, MM_PER_M, SIDES, annotation_path
from handrefine.datasets.json_groups import groups_of
from handrefine.datasets.parsing import as_finite, as_numbers, as_object, require
from handrefine.errors import InputError
from handrefine.io.json_stream import Span, spans
from handrefine.sequence import FrameId, HandAnnotation, ManoParameters, Side


def annotation_files(folders: list[Path], split: str) -> dict[str, Path]:
    """joint_3d and MANO annotation, each from the first folder that has it.

    Raises:
        InputError: there is neither of the two.
    """
    files = {}
    for kind in ("joint_3d", "MANO_NeuralAnnot"):
        path = next((p for f in folders if (p := annotation_path(f, split, kind)).exists()), None)
        if path is not None:
            files[kind] = path
    if not files:
        raise InputError(
            "there is neither a joint nor a MANO annotation",
            where=annotation_path(folders[-1], split, "joint_3d").parent,
        )
    return files


def entries_of(path: Path, capture: str, frames: Collection[FrameId]) -> dict[str, Any]:
    """`{capture: {frame: entry}}` of some frames; the files of the whole dataset are read entry by entry.

    Raises:
        InputError: the file is broken, or is not made of captures and frames.
    """
    wanted, found = {str(frame) for frame in frames}, {}
    for group in groups_of(path, lambda: _frame_spans(path)):
        if group.key == (capture,):
            found |= {frame: entry for frame, entry in group.read(path).items() if frame in wanted}
    return {capture: found}


def _frame_spans(path: Path) -> Iterator[tuple[tuple[str], Span]]:
    for span in spans(path, 2):
        if len(span.place) < 2 or not all(isinstance(key, str) for key in span.place):
            if span.value != {}:
                raise InputError("a JSON object was expected here", where=path, found=type(span.value).__name__)
        else:
            yield (str(span.place[0]),), span


def hand_annotations(
    documents: Mapping[str, dict[str, Any]],
    files: Mapping[str, Path],
    capture: str,
    frames: tuple[FrameId, ...],
    *,
    open_hand: bool,
) -> dict[Side, HandAnnotation]:
    """Both hands, as far as the dataset says anything of them at these frames.

    Raises:
        InputError: it says nothing of either, or what it says is damaged.
    """
    wheres = {kind: f"{path}, capture {capture}" for kind, path in files.items()}
    joint_3d, mano = (
        documents[kind].get(capture, {}) if kind in documents else {} for kind in ("joint_3d", "MANO_NeuralAnnot")
    )
    annotations = {}
    for side in SIDES:
        joints_world, joint_valid = _joints(joint_3d, side, frames, wheres.get("joint_3d", ""))
        parameters, mano_valid = _mano(mano, side, frames, wheres.get("MANO_NeuralAnnot", ""))
        has_joints, has_mano = bool(joint_valid.any()), bool(mano_valid.any())
        if has_joints or has_mano:
            annotations[side] = HandAnnotation(
                side,
                mano=replace(parameters, open_hand=open_hand) if has_mano else None,
                mano_valid=mano_valid if has_mano else None,
                joints_world=joints_world if has_joints else None,
                joint_valid=joint_valid if has_joints else None,
            )
    if not annotations:
        raise InputError(
            "no hand is annotated at any of these frames",
            where="; ".join(wheres.values()),
            found=f"frames {', '.join(map(str, frames[:10]))}",
        )
    return annotations


def _joints(
    capture_json: Mapping[str, Any], side: Side, frames: tuple[FrameId, ...], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (frame, 21, 3) in metres, 0 where they are not valid, and their validity (frame, 21)."""
    joints_world = np.zeros((len(frames), 21, 3))
    valid = np.zeros((len(frames), 21), dtype=bool)
    for index, frame in enumerate(frames):
        if str(frame) not in capture_json:
            continue
        here, entry = f"{where}, frame {frame}", capture_json[str(frame)]
        coordinates = as_numbers(require(entry, "world_coord", here), (42, 3), f"{here}, world_coord")
        flags = as_finite(require(entry, "joint_valid", here), (42,), f"{here}, joint_valid")
        rows = JOINT_ROWS[side]
        valid[index] = flags[rows] != 0
        joints_world[index] = np.where(valid[index, :, None], coordinates[rows], 0.0) / MM_PER_M
        if not np.isfinite(joints_world[index]).all():
            raise InputError("a valid joint is not finite", where=f"{here}, world_coord, {side} hand")
    return joints_world, valid


def _mano(
    capture_json: Mapping[str, Any], side: Side, frames: tuple[FrameId, ...], where: str
) -> tuple[ManoParameters, np.ndarray]:
    """MANO parameters, 0 where the dataset has none, and where it has them."""
    pose, shape, trans = (np.zeros((len(frames), n)) for n in (48, 10, 3))
    valid = np.zeros(len(frames), dtype=bool)
    for index, frame in enumerate(frames):
        here = f"{where}, frame {frame}, {side}"
        hands = as_object(capture_json.get(str(frame), {}), f"{where}, frame {frame}")
        hand = hands.get(side)
        if hand is None:
            continue
        pose[index] = as_finite(require(hand, "pose", here), (48,), f"{here}, pose")
        shape[index] = as_finite(require(hand, "shape", here), (10,), f"{here}, shape")
        trans[index] = as_finite(require(hand, "trans", here), (3,), f"{here}, trans")
        valid[index] = True
    return ManoParameters(pose, shape, trans, flat_hand_mean=False), valid

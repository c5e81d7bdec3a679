"""Writer of a refined InterHand2.6M annotation: the original files, with the refined values in their place."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.datasets.interhand26m_layout import (
    JOINT_ROWS,
    MM_PER_M,
    InterHandSource,
    annotation_path,
    is_published,
)
from handrefine.datasets.interhand26m_mark import all_of_open_hand, mark_of
from handrefine.datasets.interhand26m_merge import Changes, write_json_files
from handrefine.errors import InputError
from handrefine.sequence import FrameId, HandAnnotation, HandSequence, RefinedSequence, Side


def write_interhand26m_annotation(
    sequence: HandSequence, refined: Mapping[Side, HandAnnotation], out_dir: Path
) -> list[Path]:
    """Write the dataset's annotation files anew, different only in what was refined.

    Every other capture, frame, hand and joint keeps its value to the last digit, and other frames their bytes.
    What `refined` marks as not valid is left as it was. A file that has no refined content is not written; one
    that the dataset did not have is created. Parameters of one hand model never join those of another: the file
    then holds the refined ones alone. `read_interhand26m(root, refined=out_dir)` reads the result with the
    original images.

    Args:
        sequence: as `read_interhand26m` gave it.
        refined: new annotation of one or both hands, at the frames of `sequence`.
        out_dir: receives `annotations/{split}/...`; not the dataset's own folder.

    Returns:
        The files written.

    Raises:
        InputError: `sequence` is not from InterHand2.6M, the annotation does not fit it or is not finite, or is of
            two hand models, or out_dir is the dataset itself.
    """
    return write_interhand26m_annotations([(sequence, refined)], out_dir)


def write_interhand26m_annotations(refined: Iterable[RefinedSequence], out_dir: Path) -> list[Path]:
    """The same of many sequences; every file is read and written once, entry by entry.

    Raises:
        InputError: as `write_interhand26m_annotation`.
    """
    files: dict[Path, Changes] = {}
    marks: dict[Path, dict[str, str]] = {}
    models: set[bool] = set()
    for sequence, annotations in refined:
        source = _source(sequence, out_dir)
        for annotation in annotations.values():
            check_fit(annotation, len(sequence.frames))
        changes: dict[str, Changes] = {}
        if any(a.mano is not None for a in annotations.values()):
            models.add(all_of_open_hand(annotations))
            if len(models) > 1:
                raise InputError("parameters of two hand models cannot stand in one file", where=sequence.name)
            changes["MANO_NeuralAnnot"] = changed_mano(source, sequence.frames, annotations)
            mano_file = annotation_path(Path(out_dir), source.split, "MANO_NeuralAnnot")
            published = is_published(source.capture, source.sequence)
            marks |= mark_of(mano_file, open_hand=True in models, published=published)
        if any(a.joints_world is not None for a in annotations.values()):
            changes["joint_3d"] = changed_joints(source, sequence.frames, annotations)
        for kind, of_kind in changes.items():
            path = annotation_path(Path(out_dir), source.split, kind)
            files[path] = files[path].joined(of_kind) if path in files else of_kind
    write_json_files({**files, **marks})
    return [*files, *marks]


def _source(sequence: HandSequence, out_dir: Path) -> InterHandSource:
    source = sequence.source
    if not isinstance(source, InterHandSource):
        raise InputError("only a sequence that was read from InterHand2.6M's layout can be written back to it")
    if Path(out_dir).resolve() == source.root.resolve():
        raise InputError(
            "the refined annotation would overwrite the dataset's own", where=out_dir, fix="choose another folder"
        )
    return source


def check_fit(annotation: HandAnnotation, n_frames: int) -> None:
    where = f"{annotation.side} hand"
    if annotation.mano is not None and annotation.mano.flat_hand_mean:
        raise InputError(
            "InterHand2.6M stores poses relative to the mean pose, not to the flat hand",
            where=where,
            fix="subtract the hand model's mean pose: ManoParameters.relative_to",
        )
    mano = annotation.mano
    arrays = {"joints_world": annotation.joints_world}
    if mano is not None:
        arrays |= {"pose_aa": mano.pose_aa, "shape": mano.shape, "trans_m": mano.trans_m}
    valid = {"joints_world": annotation.joint_valid}
    for name, values in arrays.items():
        if values is None:
            continue
        if len(values) != n_frames:
            raise InputError(f"{name} has the wrong length", where=where, expected=n_frames, found=len(values))
        flags = valid.get(name, annotation.mano_valid)
        if not np.isfinite(values if flags is None else values[flags]).all():
            raise InputError(f"{name} is not finite", where=where)


def changed_mano(
    source: InterHandSource, frames: Sequence[FrameId], refined: Mapping[Side, HandAnnotation]
) -> Changes:
    same_model = source.open_hand == all_of_open_hand(refined)
    original = source.files.get("MANO_NeuralAnnot") if same_model else None
    known = source.documents.get("MANO_NeuralAnnot", {}) if same_model else {}
    capture, changed = known.get(source.capture, {}), dict[str, Any]()
    for side, annotation in refined.items():
        mano = annotation.mano
        if mano is None:
            continue
        for index, frame in enumerate(frames):
            hands = dict(changed.get(str(frame), capture.get(str(frame), {"right": None, "left": None})))
            if annotation.mano_valid is None or annotation.mano_valid[index]:
                hands[side] = {
                    "pose": mano.pose_aa[index].tolist(),
                    "shape": mano.shape[index].tolist(),
                    "trans": mano.trans_m[index].tolist(),
                }
                changed[str(frame)] = hands
    return Changes(original, {source.capture: changed})


def changed_joints(
    source: InterHandSource, frames: Sequence[FrameId], refined: Mapping[Side, HandAnnotation]
) -> Changes:
    capture, changed = source.documents.get("joint_3d", {}).get(source.capture, {}), dict[str, Any]()
    blank = {
        "world_coord": [[0.0] * 3] * 42,
        "joint_valid": [[0]] * 42,
        "hand_type": hand_type(refined),
        "hand_type_valid": 1,
        "seq": source.sequence,
    }
    for side, annotation in refined.items():
        if annotation.joints_world is None:
            continue
        for index, frame in enumerate(frames):
            valid = np.ones(21, dtype=bool) if annotation.joint_valid is None else annotation.joint_valid[index]
            if not valid.any():
                continue
            entry = changed.get(str(frame), capture.get(str(frame), blank))
            coordinates, flags = list(entry["world_coord"]), list(entry["joint_valid"])
            for joint in np.flatnonzero(valid):
                row, joint_world = JOINT_ROWS[side][joint], annotation.joints_world[index, joint]
                # A joint that is as it was read keeps its digits: division and product do not cancel exactly.
                if not np.array_equal(np.asarray(coordinates[row], dtype=np.float64) / MM_PER_M, joint_world):
                    coordinates[row] = (joint_world * MM_PER_M).tolist()
                if not np.any(flags[row]):
                    flags[row] = [1] if isinstance(flags[row], list) else 1
            changed[str(frame)] = {**entry, "world_coord": coordinates, "joint_valid": flags}
    return Changes(source.files.get("joint_3d"), {source.capture: changed})


def hand_type(annotations: Mapping[Side, HandAnnotation]) -> str:
    return "interacting" if len(annotations) == 2 else next(iter(annotations), "right")

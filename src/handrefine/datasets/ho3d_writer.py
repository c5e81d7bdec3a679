"""Writer of a refined HO-3D annotation: the files of the frames that were refined, of every camera."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.datasets.ho3d_hands import JOINT_ORDER, OPENCV_FROM_OPENGL, HandsOfCamera, Pose
from handrefine.datasets.writing import SourceFolder, own_folder, valid_frames
from handrefine.errors import InputError
from handrefine.io.files import whole_file
from handrefine.io.safe_pickle import read_pickle
from handrefine.sequence import HandAnnotation, HandSequence, Side

#: NumPy from version 2 on calls its core so; older ones, which read the files as well, do not know the name.
_NEW_CORE, _OLD_CORE = b"cnumpy._core.", b"cnumpy.core."


@dataclass(frozen=True)
class Ho3dSource(SourceFolder):
    """Which part of the dataset a sequence was read from.

    folders: of the cameras, below `root`. poses: rotation and translation from every camera to the world.
    """

    folders: Mapping[str, Path]
    poses: Mapping[str, Pose]


def write_ho3d_annotation(
    sequence: HandSequence, refined: Mapping[Side, HandAnnotation], out_dir: Path
) -> list[Path]:
    """Write `meta/` of the refined frames, for every camera that annotates them; other keys keep their values.

    Returns:
        The files written. Frames that are not valid in `refined` have none.

    Raises:
        InputError: `sequence` is not from HO-3D, the annotation does not fit it, or out_dir is the dataset itself.
    """
    source = own_folder(sequence, Ho3dSource, out_dir)
    annotation = refined["right"]
    mano, joints = annotation.mano, annotation.joints_world
    if mano is None or joints is None or not mano.flat_hand_mean:
        raise InputError(
            "HO-3D wants joints, and MANO with poses relative to the flat hand",
            where=f"{sequence.name}, right hand",
        )
    rows = list(valid_frames(sequence, annotation))
    valid = np.ones(len(sequence.frames), dtype=bool) if annotation.mano_valid is None else annotation.mano_valid
    in_world = HandsOfCamera(valid, mano.pose_aa, mano.shape, mano.trans_m, joints, np.eye(3))
    written = []
    for camera, (R, t) in source.poses.items():
        opengl = in_world.moved(R.T, -R.T @ t).moved(OPENCV_FROM_OPENGL, np.zeros(3))
        folder = source.folders[camera]
        for row, frame in rows:
            name = Path("meta") / f"{frame:04d}.pkl"
            if not (folder / name).exists():
                continue
            meta = read_pickle(folder / name, "an annotation file")
            if meta.get("handPose") is None:
                continue  # this camera says nothing of the frame
            values = {
                "handPose": opengl.pose_aa[row],
                "handBeta": opengl.shape[row],
                "handTrans": opengl.trans_m[row],
                "handJoints3D": _in_their_order(opengl.joints[row]),
            }
            path = Path(out_dir) / folder.relative_to(source.root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                temporary.write_bytes(
                    _pickled({**meta, **{key: _like(meta[key], v) for key, v in values.items()}})
                )
            written.append(path)
    return written


def _in_their_order(joints: np.ndarray) -> np.ndarray:
    theirs = np.empty_like(joints)
    theirs[JOINT_ORDER] = joints
    return theirs


def _like(old: Any, values: np.ndarray) -> Any:
    """The values with the type and shape of those in whose place they come."""
    if isinstance(old, np.ndarray):
        return values.astype(old.dtype).reshape(old.shape)
    return values.tolist()


def _pickled(meta: Mapping[str, Any]) -> bytes:
    """In the oldest protocol that has bytes, which every Python and NumPy reads."""
    return pickle.dumps(dict(meta), protocol=2).replace(_NEW_CORE, _OLD_CORE)

"""What reader and writers of InterHand2.6M share: where its files lie and how its numbers are to be read.

Layout (github.com/facebookresearch/InterHand2.6M)::

    images/{split}/Capture{c}/{sequence}/cam{camera}/image{frame}.jpg
    masks/{split}/...                    the same names as PNG; ours, the dataset has none
    objects/{split}/...                  ours too: things in or before the hand, white; their meshes and poses, see
                                         `interhand26m_things`
    annotations/{split}/InterHand2.6M_{split}_{camera,joint_3d,data,MANO_NeuralAnnot}.json
    annotations/{split}/handrefine.json  ours, see `interhand26m_mark`

Cameras and joints are in millimetres, `x_cam = camrot (X - campos)`; MANO parameters are in metres, in the
world frame, with 45 joint angles relative to the model's mean pose (`flat_hand_mean=False`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.sequence import FrameId, Side

SIDES: tuple[Side, Side] = ("right", "left")

#: InterHand2.6M projects with OpenCV's convention, in which a pixel's centre has whole-number coordinates;
#: handrefine puts it at one half. Added to the principal point by the reader, subtracted by the writer.
PIXEL_CENTRE_PX = 0.5

MM_PER_M = 1000.0

#: What is read of a capture's calibration.
CAMERA_KEYS = ("campos", "camrot", "focal", "princpt")

#: Ours: the folder of masks of things that are neither hand nor background.
OBJECTS = "objects"

#: Ours: the lenses of those cameras that have one, `{camera: {"model": ..., "coefficients": [...]}}`.
LENS_KEY = "lens"

#: Ours: poses of those cameras that move, `{camera: {frame: {"campos": [...], "camrot": [...]}}}`.
PATH_KEY = "path"

#: By these the layout is recognised.
CAMERA_FILES = "annotations/*/InterHand2.6M_*_camera.json"

#: What a video that handrefine makes is called: it is the only one of its dataset.
MADE_SPLIT, MADE_CAPTURE, MADE_SEQUENCE = "test", "0", "synthetic"

#: `theirs[JOINT_ORDER]` is in the order of `sequence.JOINT_NAMES`: they number every finger from its tip to its
#: root and put the wrist last.
JOINT_ORDER = np.array([20, *(4 * finger + 3 - k for finger in range(5) for k in range(4))])

#: Rows of the 42 joints that belong to a hand, in the order of `sequence.JOINT_NAMES`.
JOINT_ROWS: Mapping[Side, np.ndarray] = {"right": JOINT_ORDER, "left": 21 + JOINT_ORDER}


def annotation_name(split: str, kind: str) -> str:
    return f"InterHand2.6M_{split}_{kind}.json"


def annotation_path(folder: Path, split: str, kind: str) -> Path:
    """Path of the annotation `kind` (camera, joint_3d, data, MANO_NeuralAnnot) under a dataset's folder."""
    return folder / "annotations" / split / annotation_name(split, kind)


def sequence_name(split: str, capture: str, sequence: str) -> str:
    """`HandSequence.name` of a sequence."""
    return f"{split}/Capture{capture}/{sequence}"


def is_published(capture: str, sequence: str) -> bool:
    """Whether a sequence is the dataset's own rather than one that handrefine made."""
    return (capture, sequence) != (MADE_CAPTURE, MADE_SEQUENCE)


def image_name(capture: str, sequence: str, camera: str, frame: FrameId, suffix: str) -> str:
    """`file_name` of an image in data.json."""
    return f"Capture{capture}/{sequence}/cam{camera}/image{frame}{suffix}"


def is_grey(camera: str) -> bool:
    """The dataset's cameras 41xxxx are monochrome, 40xxxx have colour."""
    return len(camera) == 6 and camera.startswith("41")


@dataclass(frozen=True, eq=False)
class InterHandSource:
    """Which part of the dataset a sequence was read from.

    documents: joint_3d and MANO_NeuralAnnot as they were parsed, as far as they speak of this sequence's frames.
    files: where these were read from; the rest of them is read again when the annotation is written back.
    open_hand: the parameters in MANO_NeuralAnnot are the open hand's.
    """

    root: Path
    split: str
    capture: str
    sequence: str
    documents: Mapping[str, dict[str, Any]]
    open_hand: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)

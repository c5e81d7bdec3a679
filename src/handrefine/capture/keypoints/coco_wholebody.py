"""COCO-WholeBody keypoints: the data set's own annotation, COCO results, and MMPose's predictions of its demos
and its inferencer, of a video in one file or an image a file.

Of the 133 keypoints 91 to 111 are the left hand and 112 to 132 the right, each in the order of `JOINT_NAMES`
(github.com/jin-s13/COCO-WholeBody, data_format.md).
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.detections import FoundHand
from handrefine.capture.keypoints.found import HandsByFrame, hand_of_triples
from handrefine.errors import InputError
from handrefine.io.text_files import read_json
from handrefine.sequence import FrameId

_LEFT, _RIGHT = slice(91, 112), slice(112, 133)
_SURE = 0.9


def is_coco_wholebody(content: Any) -> bool:
    """Whether a JSON file's content is one of the three forms."""
    if isinstance(content, Mapping):
        return "instance_info" in content or "annotations" in content
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, Mapping) and ("keypoints" in first or "instances" in first)


def is_image_a_file(folder: Path) -> bool:
    """A folder of MMPose's predictions of single images, named by their numbers."""
    return folder.is_dir() and any(re.search(r"\d", path.stem) for path in folder.glob("*.json"))


def read_image_a_file(folder: Path) -> HandsByFrame:
    """Raises:
    InputError: a file is no JSON, or holds other keypoints; what else is damaged raises what it trips over.
    """
    found: HandsByFrame = {}
    for file in sorted(folder.glob("*.json")):
        if digits := re.findall(r"\d+", file.stem):
            content = read_json(file)
            people = (
                content.get("instances", content.get("instance_info", ()))
                if isinstance(content, Mapping)
                else content
            )
            found[FrameId(int(digits[-1]))] = [hand for person in people for hand in _of_instance(person, file)]
    return found


def read_coco_wholebody(path: Path) -> HandsByFrame:
    """Raises:
    InputError: the file is no JSON, or holds other keypoints; what else is damaged raises what it trips over.
    """
    found: HandsByFrame = {}
    for frame, hands in _entries(read_json(path), path):
        found.setdefault(frame, []).extend(hands)
    return found


def _entries(content: Any, path: Path) -> Iterator[tuple[FrameId, list[FoundHand]]]:
    if isinstance(content, Mapping) and "instance_info" in content:  # MMPose
        for info in content["instance_info"]:
            for person in info["instances"]:
                # MMPose's demos count the frames of a video from 1.
                yield FrameId(int(info["frame_id"]) - 1), _of_instance(person, path)
        return
    if isinstance(content, list) and "instances" in content[0]:  # its inferencer, from 0
        for info in content:
            for person in info["instances"]:
                yield FrameId(int(info["frame_id"])), _of_instance(person, path)
        return
    names = {}
    if isinstance(content, Mapping):
        names = {image["id"]: image.get("file_name", "") for image in content.get("images", ())}
    for entry in content["annotations"] if isinstance(content, Mapping) else content:
        frame = _frame(names.get(entry["image_id"], entry["image_id"]))
        if "lefthand_kpts" in entry:
            both = [(entry["lefthand_kpts"], 1 - _SURE), (entry["righthand_kpts"], _SURE)]
            yield frame, [hand for values, score in both if (hand := hand_of_triples(values, score, path))]
        else:
            yield frame, _of_body(np.asarray(entry["keypoints"], np.float64).reshape(-1, 3), path)


def _of_instance(person: Mapping[str, Any], path: Path) -> list[FoundHand]:
    """MMPose's keypoints and scores: of a whole body, or of one hand, whose side its hand models do not say."""
    points = np.column_stack([np.asarray(person["keypoints"]), np.asarray(person["keypoint_scores"])])
    if points.shape != (21, 3):
        return _of_body(points, path)
    hand = hand_of_triples(points, 0.5, path)
    return [] if hand is None else [hand]


def _of_body(points: np.ndarray, path: Path) -> list[FoundHand]:
    if points.shape != (133, 3):
        raise InputError(
            "these are no whole-body keypoints", where=path, expected="133 a person", found=len(points)
        )
    both = ((points[_LEFT], 1 - _SURE), (points[_RIGHT], _SURE))
    return [hand for values, score in both if (hand := hand_of_triples(values, score, path))]


def _frame(name: Any) -> FrameId:
    """The number of an image: its id, or the last number in its file's name."""
    return (
        FrameId(int(name)) if isinstance(name, int) else FrameId(int(re.findall(r"\d+", str(Path(name).stem))[-1]))
    )

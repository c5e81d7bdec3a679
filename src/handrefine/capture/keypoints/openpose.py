"""OpenPose's JSON: a file a frame, `people[i].hand_left_keypoints_2d` and `hand_right_keypoints_2d` of 21 (x, y,
c).

Its order of joints is that of `JOINT_NAMES`, and its left hand is the person's left
(github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handrefine.capture.detections import FoundHand
from handrefine.capture.keypoints.found import HandsByFrame, hand_of_triples
from handrefine.io.text_files import read_json
from handrefine.sequence import FrameId

_KEYS = {"hand_right_keypoints_2d": 1.0, "hand_left_keypoints_2d": 0.0}
#: OpenPose names no sides surely: it looks for a hand at the end of the arm that it takes for the right one.
_SURE = 0.9


def is_openpose(path: Path) -> bool:
    """A folder of `*_keypoints.json`."""
    return path.is_dir() and any(path.glob("*_keypoints.json"))


def read_openpose(path: Path) -> HandsByFrame:
    """Raises:
    InputError: a file is damaged.
    """
    found: HandsByFrame = {}
    for file in sorted(path.glob("*_keypoints.json")):
        digits = re.findall(r"\d+", file.stem.removesuffix("_keypoints"))
        content = read_json(file)
        people = content.get("people", []) if isinstance(content, Mapping) else []
        if digits:
            found[FrameId(int(digits[-1]))] = [hand for person in people for hand in _hands(person, file)]
    return found


def _hands(person: Any, file: Path) -> list[FoundHand]:
    hands = []
    for key, right in _KEYS.items():
        score = _SURE if right else 1 - _SURE
        hand = hand_of_triples(person.get(key) if isinstance(person, Mapping) else None, score, f"{file}, {key}")
        if hand is not None:
            hands.append(hand)
    return hands

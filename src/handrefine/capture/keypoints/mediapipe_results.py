"""MediaPipe's results as JSON: a list of frames, or frames by their number, as its `HandLandmarker` returns them.

A frame has `landmarks` (or `hand_landmarks`, `multi_hand_landmarks`) of x and y as shares of the image, and
`handedness` (or `handednesses`, `multi_handedness`) with label and score. MediaPipe names sides as in a mirror.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.detections import FoundHand
from handrefine.capture.keypoints.found import HandsByFrame
from handrefine.io.text_files import read_json
from handrefine.sequence import FrameId

_LANDMARKS = ("landmarks", "hand_landmarks", "handLandmarks", "multi_hand_landmarks", "multiHandLandmarks")
_SIDES = ("handedness", "handednesses", "multi_handedness", "multiHandedness")


def is_mediapipe(content: Any) -> bool:
    frames = content.get("frames", content) if isinstance(content, Mapping) else content
    values = list(frames.values()) if isinstance(frames, Mapping) else frames
    return isinstance(values, list) and any(
        isinstance(value, Mapping) and any(key in value for key in _LANDMARKS) for value in values
    )


def read_mediapipe(path: Path, size: tuple[int, int]) -> HandsByFrame:
    """Raises:
    InputError: the file is no JSON; what else is damaged raises what it trips over.
    """
    content = read_json(path)
    frames = content.get("frames", content) if isinstance(content, Mapping) else content
    numbered = frames.items() if isinstance(frames, Mapping) else enumerate(frames)
    return {
        FrameId(int(value.get("frame", number))): list(_hands(value, size)) for number, value in numbered if value
    }


def _hands(frame: Mapping[str, Any], size: tuple[int, int]) -> Iterator[FoundHand]:
    hands = next((frame[key] for key in _LANDMARKS if key in frame), None) or []
    sides = next((frame[key] for key in _SIDES if key in frame), None) or [None] * len(hands)
    for hand, side in zip(hands, sides, strict=True):
        points = hand["landmark"] if isinstance(hand, Mapping) else hand
        uv = np.array([[p["x"], p["y"]] if isinstance(p, Mapping) else p[:2] for p in points], np.float64)
        if uv.shape != (21, 2):
            raise ValueError(f"a hand of {len(uv)} landmarks")
        score, right = _side(side)
        yield FoundHand(uv * size, np.full(21, score), right)


def _side(side: Any) -> tuple[float, float]:
    """The hand's score, and that of its being a right one; MediaPipe's `Left` is a right hand."""
    if isinstance(side, Mapping) and "classification" in side:
        side = side["classification"]
    if isinstance(side, Sequence) and not isinstance(side, str):
        side = side[0]
    if side is None:
        return 1.0, 0.5
    if isinstance(side, str):
        label = side
    elif (label := next((side[k] for k in ("categoryName", "category_name", "label") if k in side), None)) is None:
        raise ValueError(f"a side without a name: {side}")
    score = 0.9 if isinstance(side, str) else float(side.get("score", 0.9))
    return score, score if label.lower() == "left" else 1 - score

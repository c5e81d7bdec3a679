"""MediaPipe's hand landmarks (Zhang et al., "MediaPipe Hands", 2020), with the weights that its wheel carries.

The extra `handrefine[detect]` installs it. The legacy interface is used: newer versions came without weights.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8

from handrefine.capture.detections import MOST_HANDS, FoundHand
from handrefine.errors import InputError

#: MediaPipe's own defaults are 0.5; blurred hands are found more often with less, and triangulation judges them.
_LEAST_CONFIDENCE = 0.4


class MediaPipeHands:
    """The detector, for the images of one camera in the order of time: it tracks from image to image."""

    def __init__(self) -> None:
        """Raises:
        InputError: MediaPipe is not installed, or is a version without the weights.
        """
        os.environ.setdefault("GLOG_minloglevel", "2")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            with _quiet():
                from mediapipe.python.solutions.hands import Hands  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(
                "--detect needs MediaPipe, which is not installed here",
                found=error,
                fix="pip install '.[detect]' in handrefine's folder (Python 3.10 to 3.12), "
                "or give 2D keypoints with --joints",
            ) from error
        with _quiet():
            self._hands: Any = Hands(
                max_num_hands=MOST_HANDS,
                model_complexity=1,
                min_detection_confidence=_LEAST_CONFIDENCE,
                min_tracking_confidence=_LEAST_CONFIDENCE,
            )
            self._hands.process(np.zeros((64, 64, 3), np.uint8))  # its threads announce themselves only now

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> list[FoundHand]:
        """The hands of an sRGB image.

        MediaPipe names sides as in a mirror (a selfie); images of cameras are not mirrored, so that its left is
        right. Its confidence is one number a hand.
        """
        height, width = image.shape[:2]
        with _quiet():
            result: Any = self._hands.process(image)
        hands: Any = zip(result.multi_hand_landmarks or (), result.multi_handedness or (), strict=True)
        found = []
        for landmarks, handedness in hands:
            side = handedness.classification[0]
            uv_px = np.array([[point.x * width, point.y * height] for point in landmarks.landmark])
            right = side.score if side.label == "Left" else 1 - side.score
            found.append(FoundHand(uv_px, np.full(21, float(side.score)), float(right)))
        return found

    def close(self) -> None:
        self._hands.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of MediaPipe's old protobuf code, and what its C++ writes as it starts."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

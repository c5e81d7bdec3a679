"""2D hands that a detector found in the images: 21 points of up to two hands a view, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

#: A detection is the same hand as a better one of the same view where their points are nearer than this share of
#: the hand's size in the image.
_SAME_HAND = 0.25
MOST_HANDS = 2


@dataclass(frozen=True, eq=False)
class Detections:
    """Hands found in the images of some cameras, at the frames of the video.

    uv_px: pixels of the images as they were taken (lens included), the centre of pixel (0, 0) at (0.5, 0.5),
    joints
        in the order of `JOINT_NAMES`; NaN where nothing was found. The slots of a view are in no order until
        `assign_hands` has made slot 0 the right hand and slot 1 the left.
    confidence: of every joint, 0 to 1; 0 where nothing was found.
    right_score: 1 where the detector is sure of a right hand, 0 of a left one, 0.5 where it does not say.
    frames: their numbers; counted from 0 where none are given.
    """

    cameras: tuple[str, ...]
    uv_px: Float[np.ndarray, "camera frame 2 21 2"]
    confidence: Float[np.ndarray, "camera frame 2 21"]
    right_score: Float[np.ndarray, "camera frame 2"]
    frames: tuple[int, ...] | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the frames."""
        return tuple(range(self.uv_px.shape[1])) if self.frames is None else self.frames

    def at(self, rows: np.ndarray) -> "Detections":
        """At some of the frames, by their positions."""
        return replace(
            self,
            uv_px=self.uv_px[:, rows],
            confidence=self.confidence[:, rows],
            right_score=self.right_score[:, rows],
            frames=tuple(self.numbers[k] for k in rows.tolist()),
        )

    def of_cameras(self, rows: np.ndarray) -> "Detections":
        """In some of the cameras, by their positions."""
        return replace(
            self,
            cameras=tuple(self.cameras[k] for k in rows.tolist()),
            uv_px=self.uv_px[rows],
            confidence=self.confidence[rows],
            right_score=self.right_score[rows],
        )

    def swapped(self, where: np.ndarray) -> "Detections":
        """The same hands, the two slots exchanged at the (camera, frame) that are named."""

        def exchange(values: np.ndarray) -> np.ndarray:
            mark = where.reshape(where.shape + (1,) * (values.ndim - 2))
            return np.where(mark, values[:, :, ::-1], values)

        return replace(
            self,
            uv_px=exchange(self.uv_px),
            confidence=exchange(self.confidence),
            right_score=exchange(self.right_score),
        )


@dataclass(frozen=True, eq=False)
class FoundHand:
    """One hand in one image, as `Detections` holds them."""

    uv_px: Float[np.ndarray, "21 2"]
    confidence: Float[np.ndarray, "21"]
    right_score: float = 0.5


def gathered(found: Mapping[str, Sequence[Sequence[FoundHand]]], frames: Sequence[int]) -> Detections:
    """The hands of every camera at all the frames as arrays; of a hand that was found twice the better one."""
    cameras = tuple(found)
    n_frames = len(frames)
    uv_px = np.full((len(cameras), n_frames, MOST_HANDS, 21, 2), np.nan)
    confidence = np.zeros((len(cameras), n_frames, MOST_HANDS, 21))
    right_score = np.full((len(cameras), n_frames, MOST_HANDS), 0.5)
    for c, name in enumerate(cameras):
        for f, hands in enumerate(found[name]):
            for k, hand in enumerate(_distinct(hands)):
                known = (hand.confidence > 0) & np.isfinite(hand.uv_px).all(axis=-1)
                uv_px[c, f, k] = np.where(known[:, None], hand.uv_px, np.nan)
                confidence[c, f, k] = np.where(known, hand.confidence, 0.0)
                right_score[c, f, k] = hand.right_score
    return Detections(cameras, uv_px, confidence, right_score, tuple(frames))


def _distinct(hands: Sequence[FoundHand]) -> list[FoundHand]:
    kept: list[FoundHand] = []
    for hand in sorted(hands, key=lambda hand: -float(hand.confidence.mean())):
        size = np.ptp(hand.uv_px[hand.confidence > 0], axis=0).max() if (hand.confidence > 0).any() else 0.0
        if size > 0 and all(_distance(hand, other) > _SAME_HAND * size for other in kept):
            kept.append(hand)
    return kept[:MOST_HANDS]


def _distance(one: FoundHand, other: FoundHand) -> float:
    both = (one.confidence > 0) & (other.confidence > 0)
    return float(np.linalg.norm(one.uv_px[both] - other.uv_px[both], axis=1).mean()) if both.any() else np.inf

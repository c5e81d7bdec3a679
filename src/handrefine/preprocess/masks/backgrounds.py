"""What the frames of a video say of every camera's background together, and how its pixels compare with it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int8, UInt8
from torch import Tensor

from handrefine import regions
from handrefine.colour import linear_to_srgb8
from handrefine.observations import CropWindow
from handrefine.preprocess.masks.colour_segmentation import forearm_strip
from handrefine.preprocess.masks.hand_scale import CONTEXT, SEGMENTED_LENGTH_PX, resized, spread
from handrefine.preprocess.masks.of_one_frame import OfOneFrame
from handrefine.preprocess.masks.steady_background import Grade, SteadyBackground, learn_background
from handrefine.sequence import FrameIndex, HandSequence, ViewKey

log = logging.getLogger(__name__)
#: With fewer frames nothing is told; of more, so many at most teach a background.
FEWEST_FRAMES, MOST_FRAMES = 4, 25
#: How far from palm and bones a hand may be seen, as a share of its length: 10 mm of flesh and 15 mm that an
#: annotation may be off. Some of it may be seen further out for once; the median does not mind.
REACH = 0.14
#: Share of the background that must keep still, and share of a picture's background that may look otherwise.
STEADY, CHANGED = 0.6, 0.15
#: Pixels of all pictures of a camera together, at most.
MOST_PIXELS = 8e6

Pixels = UInt8[np.ndarray, "_ _ 3"]
Region = Bool[np.ndarray, "_ _"]
Joints = Float[np.ndarray, "21 2"]


@dataclass(frozen=True, eq=False)
class _Place:
    """The part of a camera's images in which hands are seen, made smaller to size_px (width, height)."""

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int
    size_px: tuple[int, int]


class Backgrounds:
    """Every steady camera's background, learned when it is first asked for.

    Args:
        hands_world: joints of all hands that are known; NaN where they are not.
    """

    def __init__(self, sequence: HandSequence, hands_world: Sequence[Float[Tensor, "frame 21 3"]]) -> None:
        self._sequence = sequence
        self._hands_world = [hand.detach().cpu() for hand in hands_world]
        self._learned: dict[str, tuple[_Place, SteadyBackground] | None] = {}
        self._whole = OfOneFrame(self._graded)

    def grades(self, key: ViewKey, window: CropWindow | None = None) -> Int8[np.ndarray, "_ _"] | None:
        """`Grade` of an image's pixels or of a window's; None where the camera's background tells nothing."""
        whole = self._whole(key)
        return whole if whole is None or window is None else window.cut(whole)

    def _graded(self, key: ViewKey) -> Int8[np.ndarray, "_ _"] | None:
        """`Grade` of an image's pixels; None where nothing is told."""
        name = key[1]
        if name not in self._learned:
            self._learned[name] = self._learn(name)
        if (learned := self._learned[name]) is None:
            return None
        place, background = learned
        if (small := self._grade(key, place, background)) is None:
            return None
        camera = self._sequence.cameras[name]
        whole = np.full((camera.height, camera.width), Grade.UNSEEN, np.int8)
        part = whole[place.y0_px : place.y1_px, place.x0_px : place.x1_px]
        part[:] = resized(small, part.shape, cv2.INTER_NEAREST)
        return whole

    def _learn(self, name: str) -> tuple[_Place, SteadyBackground] | None:
        seen = [k for k in self._sequence.positions if (k, name) in self._sequence.images]
        if len(seen) < FEWEST_FRAMES or self._sequence.cameras[name].path is not None:
            return None
        frames = spread(seen, MOST_FRAMES)
        if (place := self._place(name, frames)) is None:
            return None
        pictures, covered = zip(*(self._small((k, name), place) for k in frames), strict=True)
        background = learn_background(pictures, covered)
        if background.steady < STEADY:
            log.info("camera %s: its background does not keep still, so it tells nothing", name)
            return None
        around = np.logical_or.reduce(covered)
        share = float(background.known[around].mean()) if around.any() else 0.0
        log.info(
            "camera %s: %.0f %% of the background about the hands is known from other frames", name, 100 * share
        )
        return place, background

    def _grade(self, key: ViewKey, place: _Place, background: SteadyBackground) -> Int8[np.ndarray, "_ _"] | None:
        picture, covered = self._small(key, place)
        grades = background.grades(picture, covered)
        beside = grades[~covered & background.known]
        if beside.size and float((beside == Grade.OTHER).mean()) > CHANGED:
            frame = self._sequence.frames[key[0]]
            log.info(
                "frame %d, camera %s: the background is not the other frames', so it tells nothing", frame, key[1]
            )
            return None
        return grades

    def _place(self, name: str, frames: Sequence[FrameIndex]) -> _Place | None:
        """Around all hands at all frames; None where none is seen."""
        camera, corners, lengths = self._sequence.cameras[name], list[np.ndarray](), list[float]()
        for position in self._sequence.positions:
            for joints_px in self._hands_px((position, name)):
                lengths.append(regions.hand_length_px(joints_px))
                margin = CONTEXT * lengths[-1]
                corners += [joints_px.min(axis=0) - margin, joints_px.max(axis=0) + margin]
        if not corners:
            return None
        size = camera.width, camera.height
        x0, y0 = np.clip(np.floor(np.min(corners, axis=0)), 0, size).astype(int).tolist()
        x1, y1 = np.clip(np.ceil(np.max(corners, axis=0)), 0, size).astype(int).tolist()
        if min(x1 - x0, y1 - y0) < 8:
            return None
        shrink = min(1.0, SEGMENTED_LENGTH_PX / max(float(np.median(lengths)), 1.0))
        shrink = min(shrink, float(np.sqrt(MOST_PIXELS / (len(frames) * (x1 - x0) * (y1 - y0)))))
        return _Place(x0, y0, x1, y1, (max(8, round(shrink * (x1 - x0))), max(8, round(shrink * (y1 - y0)))))

    def _small(self, key: ViewKey, place: _Place) -> tuple[Pixels, Region]:
        """The place's picture at its size, and where hands and forearms may be in it."""
        picture = linear_to_srgb8(self._sequence.images[key]())
        part = picture[place.y0_px : place.y1_px, place.x0_px : place.x1_px]
        small = np.asarray(cv2.resize(part, place.size_px, interpolation=cv2.INTER_AREA))
        scale = np.array(place.size_px) / (place.x1_px - place.x0_px, place.y1_px - place.y0_px)
        shape, covered = small.shape[:2], np.zeros(small.shape[:2], bool)
        for joints_px in self._hands_px(key):
            there = (joints_px - (place.x0_px, place.y0_px)) * scale
            body = regions.body(there, *shape)
            covered |= regions.dilated(body, REACH * regions.hand_length_px(there)) | forearm_strip(there, *shape)
        return small, covered

    def _hands_px(self, key: ViewKey) -> list[Joints]:
        position, name = key
        camera = self._sequence.cameras[name].at(self._sequence.frames[position])
        found = (camera.project(hand[position]).numpy() for hand in self._hands_world)
        return [hand for hand in found if np.isfinite(hand).all()]

"""Where images show a thing that is neither a hand nor the background: held objects, sleeves, whatever is there.

A given object mask says it. Else it is where colours are neither skin's nor the background's: skin's chromaticity
is the commonest one along the bones in all cameras, and the background's colours are those beyond, in the same
direction from the hand's middle. A thing is large enough, and beside a hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine import regions
from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.observations import CropWindow
from handrefine.preprocess.masks.black_background import BACKGROUND_BLACK
from handrefine.preprocess.masks.colour_segmentation import SEED
from handrefine.preprocess.masks.hand_scale import Pixels, at_length, resized, spread, with_context
from handrefine.preprocess.masks.of_one_frame import OfOneFrame
from handrefine.sequence import HandSequence, ViewKey

#: Frames of every camera from which colours are learned, at most.
COLOUR_FRAMES = 4
#: Skin's chromaticity (natural logarithm of ratios) spreads by no less and no more than this, and ends at so many
#: spreads; it is found in so many rounds.
LEAST_SPREAD, MOST_SPREAD, SKIN_ENDS, ROUNDS = 0.06, 0.18, 4.0, 5
#: Darker than this, linear, a colour has no chromaticity.
DARK = 0.02
#: Lengths as shares of a hand's: what is background is further from its hull, a thing begins nearer; a thing's
#: inner radius; how far its border is off.
FAR, NEAR, SMALLEST, BORDER = 0.35, 0.1, 0.02, 0.015
#: The background's colours are told apart in so many steps a channel; one that is seen less often is no part of
#: it; directions are told apart in so many sectors.
STEPS, FEWEST, SECTORS = 16, 4, 12

Region = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class SkinTone:
    """Chromaticity (log R/G, log B/G) of skin and its spread."""

    middle: Float[np.ndarray, "2"]
    spread: Float[np.ndarray, "2"]

    @staticmethod
    def of(colours: Float[np.ndarray, "colour 3"]) -> "SkinTone | None":
        """Median and deviations of the colours around the commonest; None of too few."""
        tones = chromaticity(colours[colours.max(axis=1) > DARK])
        if len(tones) < 50:
            return None
        skin = SkinTone(np.median(tones, axis=0), np.full(2, MOST_SPREAD))
        for _ in range(ROUNDS):
            of_skin = tones[skin.distances(tones) < SKIN_ENDS]
            if len(of_skin) < 50:
                return None
            middle = np.median(of_skin, axis=0)
            deviation = 1.4826 * np.median(np.abs(of_skin - middle), axis=0)
            skin = SkinTone(middle, deviation.clip(LEAST_SPREAD, MOST_SPREAD))
        return skin

    def distances(self, tones: Float[np.ndarray, "*pixel 2"]) -> Float[np.ndarray, "*pixel"]:
        """In spreads."""
        return np.linalg.norm((tones - self.middle) / self.spread, axis=-1)

    def unlike(self, image: Float[np.ndarray, "height width 3"]) -> Region:
        """Where colours are certainly not skin's."""
        return (self.distances(chromaticity(image)) > SKIN_ENDS) & (image.max(axis=-1) > DARK)


def chromaticity(linear: Float[np.ndarray, "*pixel 3"]) -> Float[np.ndarray, "*pixel 2"]:
    """(log R/G, log B/G), which shade and light's strength do not change; steady where it is dark."""
    log = np.log(linear + 0.003)
    return np.stack([log[..., 0] - log[..., 1], log[..., 2] - log[..., 1]], axis=-1)


class ThingsBeside:
    """Tells things in every view, by `labels.objects`.

    Args:
        hands_world: joints of all hands that are known; NaN where they are not.
        over_black: nothing but hands and things is lit.
    """

    def __init__(
        self,
        sequence: HandSequence,
        hands_world: Sequence[Float[Tensor, "frame 21 3"]],
        source: Literal["auto", "given", "none"],
        *,
        over_black: bool,
    ) -> None:
        self._sequence, self._source, self._over_black = sequence, source, over_black
        self._hands_world = [hand.detach().cpu() for hand in hands_world]
        self._skin = self._learn_skin() if source == "auto" else None
        #: The pixels of the full image that show a thing; None where nothing tells.
        self.in_picture = OfOneFrame(self._in_picture)

    def region(self, key: ViewKey, window: CropWindow) -> Region | None:
        """The window's pixels that show a thing, at the image's own resolution; None where nothing tells."""
        return None if (whole := self.in_picture(key)) is None else window.cut(whole)

    def _in_picture(self, key: ViewKey) -> Region | None:
        if self._source == "none":
            return None
        if key in self._sequence.objects:
            return self._sequence.objects[key]()
        if self._skin is None or not (hands_px := self._hands_px(key)):
            return None
        corner, crop = with_context(self._picture(key), hands_px[0])
        if not crop.size:
            return None
        small, scale = at_length(crop, hands_px[0] - corner)
        found = self._found(small, [(hand - corner) * scale for hand in hands_px], self._skin)
        whole = np.zeros(self._sequence.images[key]().shape[:2], bool)
        (x, y), shape = corner.astype(int), crop.shape[:2]
        whole[y : y + shape[0], x : x + shape[1]] = resized(found.astype(np.uint8), shape, cv2.INTER_NEAREST) > 0
        return whole

    def _found(self, small: Pixels, hands_px: Sequence[np.ndarray], skin: SkinTone) -> Region:
        length, hulls = regions.hand_length_px(hands_px[0]), self._hulls(small, hands_px)
        odd = skin.unlike(srgb8_to_linear(small)) & ~self._background(small, hulls, length)
        side = 2 * max(1, round(SMALLEST * length)) + 1
        odd = cv2.blur(odd.astype(np.float32), (side, side)) > 0.5  # noise has its say in single pixels only
        kept = regions.dilated(regions.distance_px(~odd) > SMALLEST * length, SMALLEST * length) & odd
        things = regions.connected_to(kept, regions.dilated(hulls, NEAR * length))
        return regions.dilated(things, BORDER * length) if things.any() else things

    def _background(self, small: Pixels, hulls: Region, length_px: float) -> Region:
        """Where colours are those of the background beyond, in the same direction from the hand's middle."""
        if self._over_black:
            return srgb8_to_linear(small).max(axis=2) <= BACKGROUND_BLACK
        y, x = np.nonzero(hulls)
        v, u = np.indices(hulls.shape)
        angle = np.arctan2(v - y.mean(), u - x.mean()) / (2 * np.pi) + 0.5
        sector = np.minimum((angle * SECTORS).astype(int), SECTORS - 1)
        far = regions.distance_px(hulls) > FAR * length_px
        bins = _bins(small)
        counts = np.zeros((SECTORS, STEPS, STEPS, STEPS), np.int64)
        np.add.at(counts, (sector[far], *(axis[far] for axis in bins)), 1)
        seen = counts + np.roll(counts, 1, axis=0) + np.roll(counts, -1, axis=0) >= FEWEST
        padded = np.pad(seen, ((0, 0), (1, 1), (1, 1), (1, 1)))
        shifts = [np.roll(padded, step, axis) for axis in (1, 2, 3) for step in (-1, 1)]
        near = np.logical_or.reduce([padded, *shifts])[:, 1:-1, 1:-1, 1:-1]
        return near[(sector, *bins)]

    def _learn_skin(self) -> SkinTone | None:
        colours = []
        for name, camera in self._sequence.cameras.items():
            for small, hands_px in self._some_pictures(name) if not camera.grey else ():
                for hand in hands_px:
                    bones = regions.bones(hand, *small.shape[:2])
                    colours.append(small[regions.dilated(bones, SEED * regions.hand_length_px(hand))])
        return SkinTone.of(srgb8_to_linear(np.concatenate(colours))) if colours else None

    def _some_pictures(self, name: str) -> list[tuple[Pixels, list[np.ndarray]]]:
        """Some of a camera's frames, cut to the hands and their surroundings, with the hands' joints in them."""
        pictures = []
        for position in spread(self._sequence.positions, COLOUR_FRAMES):
            key = position, name
            if key not in self._sequence.images or not (hands_px := self._hands_px(key)):
                continue
            corner, crop = with_context(self._picture(key), hands_px[0])
            if crop.size:
                small, scale = at_length(crop, hands_px[0] - corner)
                pictures.append((small, [(hand - corner) * scale for hand in hands_px]))
        return pictures

    def _hulls(self, small: Pixels, hands_px: Sequence[np.ndarray]) -> Region:
        return np.logical_or.reduce([regions.convex_hull(hand, *small.shape[:2]) for hand in hands_px])

    def _picture(self, key: ViewKey) -> Pixels:
        return linear_to_srgb8(self._sequence.images[key]())

    def _hands_px(self, key: ViewKey) -> list[np.ndarray]:
        position, name = key
        camera = self._sequence.cameras[name].at(self._sequence.frames[position])
        found = (camera.project(hand[position]).numpy() for hand in self._hands_world)
        return [hand for hand in found if np.isfinite(hand).all()]


def _bins(small: Pixels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bins = small.astype(np.int64) * STEPS // 256
    return bins[..., 0], bins[..., 1], bins[..., 2]

"""Where the images show skin, of any hand: from given masks, from colours, or from the empty background."""

import logging
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Int8, UInt8
from torch import Tensor

from handrefine import regions
from handrefine.colour import linear_to_srgb8
from handrefine.errors import InputError
from handrefine.observations import CropWindow
from handrefine.preprocess.masks.background_model import Plate, background_plate, labels_by_plate
from handrefine.preprocess.masks.backgrounds import Backgrounds
from handrefine.preprocess.masks.colour_segmentation import (
    ColourModels,
    fit_colour_models,
    is_plausible,
    segment,
    surroundings,
    without_stray_skin,
)
from handrefine.preprocess.masks.colours_and_background import bolder, corrected
from handrefine.preprocess.masks.hand_scale import at_length, resized, spread, with_context
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN, LabelConfig
from handrefine.preprocess.masks.mask_check import edge_counts, reconciled
from handrefine.preprocess.masks.steady_background import Grade
from handrefine.preprocess.masks.things_beside import ThingsBeside
from handrefine.sequence import HandSequence, ViewKey

log = logging.getLogger(__name__)
#: Masks that are mended in more than this share of the skin's area are worth a warning.
WORTH_TELLING = 0.1
#: Frames from which a camera's colours and its background are learned, at most.
COLOUR_FRAMES, PLATE_FRAMES = 6, 25
#: Frames of a camera by which masks are judged, at most. They are rough where, of their contours, this share less
#: than of the colours' lies on edges of the images.
JUDGED_FRAMES, ROUGH = 2, 0.025

Labels = Int8[np.ndarray, "_ _"]
Pixels = UInt8[np.ndarray, "_ _ 3"]


class SkinSource:
    """Skin, not skin or unknown for every view, by `labels.source`.

    Args:
        sequence: the video that is refined.
        hands_world: joints of this hand, then of all others, at its frames; NaN where they are not known.
        backgrounds: those of the same video, where several sources share them.
        over_black: the video shows hands over black; only given masks are needed then, and no check of them.
        things: what is neither hand nor background; it teaches no colours, and labels by colour leave it open.

    Raises:
        InputError: the chosen source cannot serve this sequence at all.
    """

    def __init__(
        self,
        sequence: HandSequence,
        hands_world: Sequence[Float[Tensor, "frame 21 3"]],
        config: LabelConfig,
        *,
        over_black: bool = False,
        things: ThingsBeside | None = None,
        backgrounds: Backgrounds | None = None,
    ) -> None:
        self._sequence, self._config, self._over_black = sequence, config, over_black
        self._things = things
        self._hands_world = [hand.detach().cpu() for hand in hands_world]
        self._backgrounds = Backgrounds(sequence, hands_world) if backgrounds is None else backgrounds
        self._models: dict[str, ColourModels | None] = {}
        self._plates: dict[str, Plate] = {}
        self._mended: dict[str, list[list[int]]] = {}
        self._rough: bool | None = None
        _refuse_impossible(sequence, config)

    def labels(self, key: ViewKey, window: CropWindow) -> Labels | None:
        """The labels of one view's window at the image's own resolution; None where nothing is known."""
        source = self._config.source
        if key in self._sequence.masks and (source in ("auto", "masks") or self._over_black):
            return self._given(key, window, window.cut(self._sequence.masks[key]()))
        if source in ("masks", "none") or self._over_black:
            return None
        if source == "plate":
            return window.cut(labels_by_plate(self._picture(key), self._plate(key[1])))
        _, hands_px, segmented = self._segmented(key, window)
        if segmented is None:
            return None
        segmented = without_stray_skin(segmented, hands_px)
        return resized(segmented, (window.y1_px - window.y0_px, window.x1_px - window.x0_px), cv2.INTER_NEAREST)

    def _given(self, key: ViewKey, window: CropWindow, mask: Bool[np.ndarray, "_ _"]) -> Labels:
        """A given mask, reconciled with colours if masks are rough and where colours tell something."""
        label = np.where(mask, HAND, NOT_HAND).astype(np.int8)
        if self._config.check_masks and not self._over_black and self._masks_are_rough():
            small, hands_px, segmented = self._segmented(key, window)
            if segmented is not None:
                shares = resized(mask.astype(np.float32), segmented.shape, cv2.INTER_AREA)
                length_px = regions.hand_length_px(hands_px[0])
                together = reconciled(shares > 0.5, small, segmented, length_px)
                changed = resized((together != (shares > 0.5)).astype(np.uint8), mask.shape, cv2.INTER_NEAREST) > 0
                label[changed] = resized(together, mask.shape, cv2.INTER_NEAREST)[changed]
                by_colours, unknown = changed & (label != UNKNOWN), label == UNKNOWN
                sizes = [int(np.count_nonzero(of)) for of in (by_colours, unknown, label == HAND)]
                self._mended.setdefault(key[1], []).append(sizes)
        return label

    def _masks_are_rough(self) -> bool:
        """Whether contours of colours lie on edges of the images more often than those of the video's masks do.

        Where they do not, the masks are exact, and what contradicts them is clutter in the colour of skin: its own
        contours have edges, while the hand's before it have none.
        """
        if self._rough is None:
            names = self._sequence.cameras
            keys = [key for name in names for key in self._some_views(name, JUDGED_FRAMES)]
            counts = np.zeros((2, 2), int)
            for key in keys:
                if key in self._sequence.masks:
                    counts += self._edge_counts(key)
            masks, colours = counts[:, 0] / np.maximum(counts[:, 1], 1)
            self._rough = bool(masks < colours - ROUGH)
            if counts.any():
                log.info(
                    "%.0f %% of the masks' contours lie on edges of the images, of the colours' %.0f %%: %s",
                    100 * masks,
                    100 * colours,
                    "masks are rough, and colours may mend them" if self._rough else "masks are believed",
                )
        return self._rough

    def _edge_counts(self, key: ViewKey) -> Int[np.ndarray, "2 2"]:
        """`edge_counts` of a view around this hand, without arms."""
        picture = self._picture(key)
        (x, y), crop = with_context(picture, self._hands_px(key)[0])
        (x, y), (height, width) = (int(x), int(y)), crop.shape[:2]
        if not crop.size:
            return np.zeros((2, 2), int)
        window = CropWindow(x, y, x + width, y + height, self._sequence.cameras[key[1]])
        small, hands_px, segmented = self._segmented(key, window)
        if segmented is None:
            return np.zeros((2, 2), int)
        mask = window.cut(self._sequence.masks[key]()).astype(np.float32)
        arms = [regions.beyond_wrist(hand_px, *segmented.shape) for hand_px in hands_px]
        return edge_counts(
            resized(mask, segmented.shape, cv2.INTER_AREA) > 0.5, small, segmented, ~np.any(arms, axis=0)
        )

    def tell(self) -> None:
        """Say how far the given masks of the views that were asked for have been believed."""
        for name, sizes in self._mended.items():
            by_colours, unknown, hand = np.sum(sizes, axis=0)
            if by_colours + unknown == 0:
                continue
            level = logging.WARNING if by_colours + unknown > WORTH_TELLING * hand else logging.INFO
            log.log(
                level,
                "camera %s: masks and image disagree; colours are believed over the masks in %.1f %% of the skin's"
                " area, and neither in %.1f %%",
                name,
                100 * by_colours / max(hand, 1),
                100 * unknown / max(hand, 1),
            )

    def _segmented(self, key: ViewKey, window: CropWindow) -> tuple[Pixels, list[np.ndarray], Labels | None]:
        """The window at the segmented size, the joints of all hands there, and the labels by colour.

        None for these where they show no hand at the annotation's place.
        """
        corner = np.array([window.x0_px, window.y0_px])
        hands_px = [hand - corner for hand in self._hands_px(key)]
        small, scale = at_length(window.cut(self._picture(key)), hands_px[0])
        hands_px = [hand * scale for hand in hands_px]
        models = self._colour_models(key[1])
        if models is None:
            return small, hands_px, None
        label = segment(small, models, regions.hand_length_px(hands_px[0]))
        if (grades := self._backgrounds.grades(key, window)) is not None:
            label = corrected(label, resized(grades, label.shape, cv2.INTER_NEAREST))
        if (thing := self._thing(key)) is not None:
            label[_touched(window.cut(thing), label.shape)] = UNKNOWN
        if is_plausible(label, hands_px):
            return small, hands_px, label
        position, name = key
        log.info("frame %d, camera %s: colours do not tell the hand", self._sequence.frames[position], name)
        return small, hands_px, None

    def _colour_models(self, name: str) -> ColourModels | None:
        """Learned once a camera, from some of its frames."""
        if name not in self._models:
            pictures, hands, things, backgrounds = [], [], [], []
            for key in self._some_views(name, COLOUR_FRAMES):
                hands_px = self._hands_px(key)
                corner, crop = with_context(self._picture(key), hands_px[0])
                if crop.size:
                    small, scale = at_length(crop, hands_px[0] - corner)
                    pictures.append(small)
                    hands.append([(hand - corner) * scale for hand in hands_px])
                    (x, y), (height, width) = corner.astype(int), crop.shape[:2]
                    thing, background = self._beside(key, np.s_[y : y + height, x : x + width], small.shape[:2])
                    things.append(thing)
                    backgrounds.append(background)
            models = fit_colour_models(pictures, hands, things, backgrounds) if pictures else None
            self._models[name] = None if models is None else bolder(models, pictures, backgrounds)
            if self._models[name] is None:
                log.warning("camera %s: the colours of hand and background cannot be told apart", name)
        return self._models[name]

    def _thing(self, key: ViewKey) -> Bool[np.ndarray, "_ _"] | None:
        return None if self._things is None else self._things.in_picture(key)

    def _beside(
        self, key: ViewKey, part: tuple[slice, slice], shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "_ _"], Bool[np.ndarray, "_ _"] | None]:
        """Where a part of a picture, made smaller, shows a thing, and what of it certainly is background."""
        whole, grades = self._thing(key), self._backgrounds.grades(key)
        thing = np.zeros(shape, bool) if whole is None else _touched(whole[part], shape)
        if grades is None:
            return thing, None
        return thing, (resized(grades[part], shape, cv2.INTER_NEAREST) == Grade.SAME) & ~thing

    def _plate(self, name: str) -> Plate:
        """Made once a camera, from some of its frames."""
        if name not in self._plates:
            pictures, covered = [], []
            for key in self._some_views(name, PLATE_FRAMES):
                pictures.append(self._picture(key))
                around = surroundings(self._hands_px(key), *pictures[-1].shape[:2])
                covered.append(~around.background)
            self._plates[name] = background_plate(pictures, covered)
        return self._plates[name]

    def _some_views(self, name: str, most: int) -> list[ViewKey]:
        """A camera's views at frames that are evenly spaced, at most so many."""
        keys = [(position, name) for position in spread(self._sequence.positions, most)]
        return [key for key in keys if key in self._sequence.images]

    def _picture(self, key: ViewKey) -> Pixels:
        return linear_to_srgb8(self._sequence.images[key]())

    def _hands_px(self, key: ViewKey) -> list[np.ndarray]:
        """Joints of every hand that the camera may see, this hand's first."""
        position, name = key
        camera = self._sequence.cameras[name].at(self._sequence.frames[position])
        own, *others = (camera.project(hand[position]).numpy() for hand in self._hands_world)
        return [own, *(other for other in others if np.isfinite(other).all())]


def _touched(region: Bool[np.ndarray, "_ _"], shape: tuple[int, ...]) -> Bool[np.ndarray, "_ _"]:
    """The smaller picture's pixels that are not wholly without the region."""
    return resized(region.astype(np.float32), shape, cv2.INTER_AREA) > 0


def _refuse_impossible(sequence: HandSequence, config: LabelConfig) -> None:
    if config.source == "masks" and not sequence.masks:
        raise InputError(
            "labels are to come from masks, but there are none",
            where=sequence.name,
            fix="give masks beside the images, or choose labels.source auto or segment",
        )
    if config.source == "plate" and len(sequence.frames) < 2:
        raise InputError(
            "a background plate needs several frames",
            where=sequence.name,
            expected="at least 2 frames at which the hand is annotated",
            found=len(sequence.frames),
            fix="choose labels.source auto or segment",
        )

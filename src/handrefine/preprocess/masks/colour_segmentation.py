"""Which pixels are skin, told by colour alone: GrabCut's models, seeded by where the annotation puts the hands.

Rother, Kolmogorov, Blake, "GrabCut" (2004): colours of either class as five Gaussians, and the cut of least energy
between neighbours that differ little. Ours: the Gaussians are learned from several pictures of one camera together
and then held, and what a changed prior would change is left unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int8, UInt8

from handrefine import regions
from handrefine.preprocess.masks.labels import HAND, NOT_HAND, UNKNOWN
from handrefine.preprocess.masks.sensor_range import SATURATED_SRGB
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST

#: Lengths as shares of a hand's length: half-width of the seeds along its bones; how far skin may lie outside of
#: the hull of its joints; half-width of its forearm at the wrist.
SEED, REACH, FOREARM = 0.015, 0.25, 0.3
#: The palm's seeds lie within the hull of its joints by this much. Bones give this share of the palm's number of
#: seeds, or all where the palm has fewer than that share of theirs.
PALM_INSET, OF_BONES, LEAST_PALM = 0.02, 0.15, 0.1
#: Skin further from a hand's palm and bones than this share of its length is left unknown: 10 mm of flesh, and 30
#: mm that detected joints may be off. What stands beside a hand and looks like skin would otherwise swell it.
FLESH_AND_ERROR = 0.22
#: The forearm may widen by this much on either side, per length.
FOREARM_SPREAD = 0.5
#: A blown highlight's half-width at most, as a share of a hand's length.
HIGHLIGHT = 0.06
#: Log odds by which the prior is moved either way, at most; a label that follows is unknown. For skin it is this
#: share of the odds of a camera's own skin: in a dark and noisy picture no pixel alone has much to say, all do.
DOUBT, OF_ODDS = 3.0, 0.4
#: ... unless more than this share of what no hand can reach would be skin.
LEAK = 0.02
#: Colours that a model is learned from, at most.
SAMPLES = 20000
#: Seeds that must survive, as a share of all.
FEWEST_SEEDS = 0.2
_GAUSSIANS, _NUMBERS = 5, 65
#: OpenCV asks for a rectangle that it looks at in another mode only.
_NO_RECTANGLE = (0, 0, 1, 1)

Pixels = UInt8[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]
Labels = Int8[np.ndarray, "height width"]
Colours = UInt8[np.ndarray, "_ 3"]
Joints = Float[np.ndarray, "21 2"]


@dataclass(frozen=True, eq=False)
class ColourModels:
    """Five Gaussians of sRGB for skin and five for the rest, as OpenCV lays out weights, means and covariances.

    doubt: log odds by which skin must stand out to be certain.
    """

    skin: Float[np.ndarray, "1 65"]
    other: Float[np.ndarray, "1 65"]
    doubt: float = DOUBT


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the joints of all hands in a picture say of it before its colours are looked at.

    bones: pixels along the bones, most of them skin.
    near: within reach of a hand; what is not, and is no forearm, is mostly background.
    forearm: past a wrist, where either may be.
    """

    bones: Region
    near: Region
    forearm: Region

    @property
    def background(self) -> Region:
        return ~self.near & ~self.forearm


def surroundings(
    hands_px: Sequence[Joints], height: int, width: int, background: Region | None = None
) -> Surroundings:
    """Where hands, forearms and background may be expected.

    background: what is known to be, wherever it lies.
    """
    bones, near, forearm = (np.zeros((height, width), bool) for _ in range(3))
    for joints_px in hands_px:
        length = regions.hand_length_px(joints_px)
        bones |= regions.dilated(regions.bones(joints_px, height, width), SEED * length)
        near |= regions.dilated(regions.convex_hull(joints_px, height, width), REACH * length)
        forearm |= forearm_strip(joints_px, height, width)
    if background is None:
        return Surroundings(bones, near, forearm)
    return Surroundings(bones & ~background, near & ~background, forearm & ~background)


def fit_colour_models(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    hands_px: Sequence[Sequence[Joints]],
    things: Sequence[Bool[np.ndarray, "_ _"]] | None = None,
    backgrounds: Sequence[Bool[np.ndarray, "_ _"] | None] | None = None,
    *,
    rounds: int = 2,
) -> ColourModels | None:
    """The colours of skin and of everything else in one camera.

    Seeds are pixels of palms and bones; those that the background explains better are dropped, since an
    annotation is off. The background is learned from what no hand can reach. Then both are learned again from the
    cut of every picture, `rounds` times, without the forearms, which may be sleeves.

    Args:
        pictures: 8-bit sRGB of one camera, with some of the background around the hands.
        hands_px: for every picture, the joints of every hand in it.
        things: for every picture, pixels that teach neither side.
        backgrounds: for every picture what is known to be background, near the hands, too; None where nothing is.

    Returns:
        None where fewer than a fifth of the seeds look unlike the background, or there is no background.
    """
    known = [None] * len(pictures) if backgrounds is None else backgrounds
    around = [
        surroundings(hands, *p.shape[:2], background=of)
        for p, hands, of in zip(pictures, hands_px, known, strict=True)
    ]
    free = [np.ones(p.shape[:2], bool) for p in pictures] if things is None else [~thing for thing in things]
    seeds = _seed_colours(pictures, hands_px, [a.bones for a in around], free)
    background = np.concatenate([p[a.background & f] for p, a, f in zip(pictures, around, free, strict=True)])
    models = _first_models(seeds, background)
    if models is None:
        return None
    for _ in range(rounds):
        skin, other = [], []
        for picture, a, f in zip(pictures, around, free, strict=True):
            cut = regions.connected_to(skin_cut(picture, models), a.bones)
            skin.append(picture[cut & a.near & ~a.forearm & f])
            other.append(picture[(a.background | (~cut & ~a.forearm)) & f])
        if min(map(len, map(np.concatenate, (skin, other)))) < _GAUSSIANS:
            return None
        models = _learned(np.concatenate(skin), np.concatenate(other))
    odds = float(np.median(_log_density(models.skin, seeds) - _log_density(models.other, seeds)))
    ready = replace(models, doubt=min(DOUBT, OF_ODDS * max(odds, 0.0)))
    if ready.doubt == models.doubt:
        return models
    leaks = [
        skin_cut(p, ready, log_odds=-ready.doubt)[a.background & f]
        for p, a, f in zip(pictures, around, free, strict=True)
    ]
    return ready if np.concatenate(leaks).mean() <= LEAK else models


def _seed_colours(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    hands_px: Sequence[Sequence[Joints]],
    bones: Sequence[Bool[np.ndarray, "_ _"]],
    free: Sequence[Bool[np.ndarray, "_ _"]],
) -> Colours:
    """Colours of palms, and of bones for up to a share of these; of bones alone where palms are seen edge-on.
    Things before a hand (not `free`) are left out.

    An annotation that is off puts bones beside a finger, but not beside a palm; a palm's shades are not all of a
    hand's.
    """
    of_palms, of_bones = [], []
    for picture, hands, along, f in zip(pictures, hands_px, bones, free, strict=True):
        palms = np.zeros(picture.shape[:2], bool)
        for joints_px in hands:
            inside_px = regions.distance_px(~regions.palm(joints_px, *picture.shape[:2]))
            palms |= inside_px > PALM_INSET * regions.hand_length_px(joints_px)
        of_palms.append(picture[palms & f])
        of_bones.append(picture[along & f])
    palm, bone = np.concatenate(of_palms), np.concatenate(of_bones)
    if len(palm) < LEAST_PALM * len(bone):
        return bone
    return np.concatenate([palm, bone[:: max(1, round(len(bone) / (OF_BONES * len(palm))))]])


def _first_models(seeds: Colours, background: Colours) -> ColourModels | None:
    """Learned from seeds, without those that the background explains better."""
    fewest = max(_GAUSSIANS, FEWEST_SEEDS * len(seeds))
    if len(background) < _GAUSSIANS or len(seeds) < fewest:
        return None
    models = _learned(seeds, background)
    kept = seeds[_log_density(models.skin, seeds) > _log_density(models.other, seeds)]
    return _learned(kept, background) if len(kept) >= fewest else None


def segment(picture: Pixels, models: ColourModels, length_px: float) -> Labels:
    """HAND where a pixel is skin of any hand or forearm, NOT_HAND where it is not, UNKNOWN where that is unsure.

    Two cuts are made, with the odds of skin lower by the models' doubt and e^3 higher than their own. Where they
    differ, colours decide nothing. Nor do they where something white, and no wider than a highlight is, touches
    skin: a blown highlight on a hand is as white as a lamp.

    length_px: the hand's length in this picture.
    """
    certain = skin_cut(picture, models, log_odds=-models.doubt)
    possible = skin_cut(picture, models, log_odds=DOUBT)
    label = np.where(certain, HAND, np.where(possible, UNKNOWN, NOT_HAND)).astype(np.int8)
    white = np.all(picture >= round(255 * SATURATED_SRGB), axis=2) & ~certain
    wide = regions.dilated(regions.distance_px(~white) > HIGHLIGHT * length_px, HIGHLIGHT * length_px)
    label[regions.connected_to(white & ~wide, regions.dilated(certain, 1.5))] = UNKNOWN
    return label


def without_stray_skin(label: Labels, hands_px: Sequence[Joints]) -> Labels:
    """UNKNOWN instead of HAND where no hand's palm and bones are near: skin, or the like, of something else.

    Never NOT_HAND: a finger that the annotation has elsewhere keeps what pulls it, and loses only the far part.
    """
    near = np.zeros(label.shape, bool)
    for joints_px in hands_px:
        body = regions.body(joints_px, *label.shape)
        near |= regions.dilated(body, FLESH_AND_ERROR * regions.hand_length_px(joints_px))
    return np.where((label == HAND) & ~near, UNKNOWN, label).astype(np.int8)


def is_plausible(label: Labels, hands_px: Sequence[Joints]) -> bool:
    """Whether the labels show the first hand where its joints are.

    They do not where less than 0.3 of the known pixels within the joints' hull are HAND: a spread hand fills half,
    and an annotation may be off. Nor do they where more than half of a ring around the hand is, which should be
    background mostly: it lies 0.15 to 0.25 of the hand's length outside of the hull, without forearms and the
    other hands.
    """
    joints_px, *others_px = hands_px
    height, width = label.shape
    hull = regions.convex_hull(joints_px, height, width)
    within = label[hull & (label != UNKNOWN)]
    if not within.size or (within == HAND).mean() < 0.3:
        return False
    away = regions.distance_px(hull) / max(regions.hand_length_px(joints_px), 1e-6)
    ring = (away > 0.15) & (away < REACH) & ~forearm_strip(joints_px, height, width) & (label != UNKNOWN)
    others = surroundings(others_px, height, width)
    ring &= ~others.near & ~others.forearm
    return not ring.any() or float((label[ring] == HAND).mean()) <= 0.5


def forearm_strip(joints_px: Joints, height: int, width: int) -> Region:
    """A strip from the wrist away from the middle knuckle that widens; it begins a little inside the hand."""
    axis = joints_px[WRIST] - joints_px[MIDDLE_KNUCKLE]
    norm, length = np.linalg.norm(axis), regions.hand_length_px(joints_px)
    if not np.isfinite(norm) or norm < 1.0:
        return np.zeros((height, width), bool)
    x = np.arange(width) + 0.5 - joints_px[WRIST, 0]
    y = np.arange(height)[:, None] + 0.5 - joints_px[WRIST, 1]
    along, across = (x * axis[0] + y * axis[1]) / norm, np.abs(x * axis[1] - y * axis[0]) / norm
    return (along > -0.1 * length) & (across < FOREARM * length + FOREARM_SPREAD * np.maximum(along, 0))


def _learned(skin: Colours, other: Colours) -> ColourModels:
    """OpenCV learns the Gaussians from a picture of one row that holds nothing but the samples."""
    generator = np.random.default_rng(0)
    skin, other = (
        generator.choice(samples, SAMPLES, replace=False) if len(samples) > SAMPLES else samples
        for samples in (skin, other)
    )
    row = np.ascontiguousarray(np.concatenate([skin, other])[None])
    sides = np.repeat(np.array([cv2.GC_FGD, cv2.GC_BGD], np.uint8), [len(skin), len(other)])[None]
    models = ColourModels(np.zeros((1, _NUMBERS)), np.zeros((1, _NUMBERS)))
    cv2.setRNGSeed(0)
    cv2.grabCut(row, sides, _NO_RECTANGLE, models.other, models.skin, 1, cv2.GC_INIT_WITH_MASK)
    return models


def skin_cut(picture: Pixels, models: ColourModels, *, log_odds: float = 0.0) -> Region:
    """The cut of least energy with these models held; `log_odds` are added in favour of skin at every pixel."""
    skin, other = models.skin.copy(), models.other.copy()
    skin[0, :_GAUSSIANS] *= np.exp(log_odds)
    sides = np.full(picture.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.grabCut(np.ascontiguousarray(picture), sides, _NO_RECTANGLE, other, skin, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return sides == cv2.GC_PR_FGD


def _log_density(model: Float[np.ndarray, "1 65"], colours: Colours) -> Float[np.ndarray, " _"]:
    """Log of the mixture's density; covariances are widened by 2 levels, as a single colour has none."""
    weights, means, covariances = np.split(model[0], [_GAUSSIANS, 4 * _GAUSSIANS])
    means, covariances = means.reshape(_GAUSSIANS, 3), covariances.reshape(_GAUSSIANS, 3, 3) + 4 * np.eye(3)
    density = np.full(len(colours), 1e-30)
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        d = colours.astype(float) - mean
        exponent = -0.5 * np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance), d)
        density += weight * np.exp(exponent) / np.sqrt(np.linalg.det(2 * np.pi * covariance))
    return np.log(density)

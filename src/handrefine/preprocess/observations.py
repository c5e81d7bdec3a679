"""From the images of a video to its observations: cropped to the hands, labelled and resampled."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor

from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.observations import NEARLY_ALL, CropWindow, Observations, clipped_means
from handrefine.preprocess.crops import CropConfig, window_around
from handrefine.preprocess.masks.backgrounds import Backgrounds
from handrefine.preprocess.masks.black_background import black_border, images_are_over_black
from handrefine.preprocess.masks.fitted_hands import FittedHands, FittedView
from handrefine.preprocess.masks.labels import HAND, UNKNOWN, LabelConfig, LabelImage, ViewToLabel, make_labels
from handrefine.preprocess.masks.mask_source import SkinSource
from handrefine.preprocess.masks.things_beside import ThingsBeside
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST, Camera, FrameIndex, HandSequence, ViewKey
from handrefine.views import View, ViewSet

log = logging.getLogger(__name__)
#: How much of an arm may come between camera and hands, and how much further away is certainly behind.
ARM_M, BEHIND_M = 0.15, 0.02

Joints = Float[Tensor, "21 3"]


@dataclass(frozen=True, eq=False)
class Fit:
    """Hands that roughly fit the images, so that their surfaces say more than an annotation's joints.

    faces: of every hand, up to its wrist. cameras: as they are turned by now, by name.
    """

    faces: Sequence[Int[np.ndarray, "_ 3"]]
    cameras: Mapping[str, Camera]


@dataclass(frozen=True, eq=False)
class _Video:
    """What is common to all views.

    hands_world: joints of the hands that are refined; others_world: of hands that are there without being refined;
        NaN where one is missing.
    over_black: the whole background is, so that black along an image's border is no undistortion's remainder.
    things: what is neither hand nor background. backgrounds: those of steady cameras.
    """

    sequence: HandSequence
    hands_world: Sequence[Float[Tensor, "frame 21 3"]]
    others_world: Sequence[Float[Tensor, "frame 21 3"]]
    labels: LabelConfig
    over_black: bool
    things: ThingsBeside
    backgrounds: Backgrounds

    def there(self, position: FrameIndex) -> list[int]:
        """The refined hands that are known at a frame."""
        return [k for k, joints in enumerate(self.hands_world) if _is_known(joints[position])]

    def skin_around(self, hand: int) -> SkinSource:
        """What tells skin in the windows around one of the refined hands."""
        others = [joints for k, joints in enumerate(self.hands_world) if k != hand]
        joints_world = [self.hands_world[hand], *others, *self.others_world]
        of = self.sequence, joints_world, self.labels
        return SkinSource(*of, over_black=self.over_black, things=self.things, backgrounds=self.backgrounds)


@dataclass(frozen=True, eq=False)
class _ViewMaps:
    """One view's maps at window resolution."""

    image: Float[np.ndarray, "height width 3"]
    target: np.ndarray
    background: np.ndarray
    colour_weight: np.ndarray
    background_known: np.ndarray
    hand_share: np.ndarray
    silhouette_weight: np.ndarray
    clipped: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True, eq=False)
class _Seen:
    """One view: frame and camera, the hand that its window surrounds, and what is skin there (`SkinSource`)."""

    key: ViewKey
    hand: int
    window: CropWindow
    skin: Int8[np.ndarray, "_ _"] | None


def observe(
    sequence: HandSequence,
    hands: Sequence[HandGeometry],
    other_joints_world: Float[Tensor, "frame 21 3"] | None,
    labels: LabelConfig,
    crop: CropConfig,
    device: torch.device,
    fit: Fit | None = None,
) -> Observations:
    """Crop, label and resample every image, once for every hand that it shows.

    Args:
        sequence: the video that is refined, at the frames of `hands`.
        hands: the hands that are refined, as they are annotated or by now; NaN where one is missing.
        other_joints_world: joints of a hand that is there, but is not refined; NaN where there is none.
        device: where the pixels go.
        fit: None for an annotation.

    Raises:
        InputError: the hands are in no image at all, or an image is broken.
    """
    hands_world = [hand.joints_world for hand in hands]
    over_black = labels.background == "black"
    if labels.background == "auto":
        over_black = images_are_over_black(sequence, hands_world, things=labels.objects == "auto")
    others_world = [] if other_joints_world is None else [other_joints_world]
    everyone = [*hands_world, *others_world]
    things = ThingsBeside(sequence, everyone, labels.objects, over_black=over_black)
    backgrounds = Backgrounds(sequence, everyone)
    video = _Video(sequence, hands_world, others_world, labels, over_black, things, backgrounds)
    skins = [video.skin_around(hand) for hand in range(len(hands))]
    found: list[tuple[_Seen, _ViewMaps]] = []
    for position in sequence.positions:
        seen = list(_seen(video, position, hands, crop, skins))
        fitted = _fitted_views(video, position, hands, seen, fit)
        found += [(view, _view_maps(video, view, of)) for view, of in zip(seen, fitted, strict=True)]
    for skin in skins if fit is None else ():
        skin.tell()
    if not found:
        raise InputError(
            "no camera sees the annotated hand",
            where=sequence.name,
            found="its projection lies outside every image",
            fix="check that annotation and cameras belong together",
        )
    return _flatten(found, sequence, device, several_hands=len(hands) > 1)


def _is_known(joints_world: Joints) -> bool:
    return bool(torch.isfinite(joints_world).all())


def _seen(
    video: _Video,
    position: FrameIndex,
    hands: Sequence[HandGeometry],
    crop: CropConfig,
    skins: Sequence[SkinSource],
) -> Iterator[_Seen]:
    """The views of one frame."""
    for hand, (name, camera) in product(range(len(hands)), video.sequence.cameras.items()):
        key = position, name
        if key not in video.sequence.images or not _is_known(video.hands_world[hand][position]):
            continue
        here = camera.at(video.sequence.frames[position])
        window = window_around(hands[hand].verts_world[position], here, crop)
        if window is None:
            log.info("camera %s does not see the hand in frame %d", name, video.sequence.frames[position])
            continue
        yield _Seen(key, hand, window, skins[hand].labels(key, window))


def _fitted_views(
    video: _Video, position: FrameIndex, hands: Sequence[HandGeometry], seen: Sequence[_Seen], fit: Fit | None
) -> list[FittedView | None]:
    """What the hands' surfaces say of every view of a frame; indices are among the hands that are there."""
    if fit is None or not seen:
        return [None] * len(seen)
    there = video.there(position)
    fitted = FittedHands(
        {k: hands[hand].verts_world[position].detach().cpu().double().numpy() for k, hand in enumerate(there)},
        {k: hands[hand].joints_world[position].detach().cpu().double().numpy() for k, hand in enumerate(there)},
        {k: fit.faces[hand] for k, hand in enumerate(there)},
    )
    at = [fit.cameras[view.key[1]].at(video.sequence.frames[position]) for view in seen]
    cameras = [_at_full_resolution(camera, view.window) for camera, view in zip(at, seen, strict=True)]
    told = [(camera, view.skin) for camera, view in zip(cameras, seen, strict=True) if view.skin is not None]
    arms = fitted.arms(told)
    return [fitted.view(camera, view.skin, arms) for camera, view in zip(cameras, seen, strict=True)]


def _at_full_resolution(camera: Camera, window: CropWindow) -> Camera:
    """The camera of a window before it is resampled."""
    x0, y0 = window.x0_px, window.y0_px
    return camera.cropped(x0, y0, window.x1_px - x0, window.y1_px - y0)


def _view_maps(video: _Video, seen: _Seen, fitted: FittedView | None) -> _ViewMaps:
    (position, name), window, skin = seen.key, seen.window, seen.skin
    camera = video.sequence.cameras[name].at(video.sequence.frames[position])
    full_image = video.sequence.images[seen.key]()
    corner = np.array([window.x0_px, window.y0_px])

    def in_crop(joints_world: Joints) -> np.ndarray:
        return camera.project(joints_world).detach().cpu().numpy() - corner

    image = window.cut(full_image)
    excluded = np.zeros(image.shape[:2], bool) if video.over_black else window.cut(black_border(full_image))
    if skin is not None:
        excluded = excluded | (skin == UNKNOWN)
    if (thing := video.things.region(seen.key, window)) is not None:
        excluded = excluded | thing
    there = video.there(position)
    joints_world = [video.hands_world[k][position] for k in there]
    view = ViewToLabel(
        image,
        [in_crop(joints) for joints in joints_world],
        others_px=[in_crop(joints[position]) for joints in video.others_world if _is_known(joints[position])],
        mask=None if skin is None else skin == HAND,
        rough=seen.key in video.sequence.masks,
        excluded=excluded,
        arms_behind=[
            (k, j)
            for k, j in permutations(range(len(there)), 2)
            if _arm_is_behind(camera, joints_world[k], joints_world[j])
        ],
        fitted=fitted,
    )
    labels = make_labels(view, video.labels, over_black=video.over_black)
    owner = np.array([*there, -1])[labels.owner]
    return _shrink(image, labels, [owner == k for k in range(len(video.hands_world))], window)


def _arm_is_behind(camera: Camera, joints_world: Joints, other_world: Joints) -> bool:
    """Whether the arm, on from the palm through the wrist, is further from the camera than the other hand."""
    own, other = camera.to_camera(joints_world), camera.to_camera(other_world)
    along = own[WRIST] - own[MIDDLE_KNUCKLE]
    elbowwards = own[WRIST] + ARM_M * along / along.norm()
    return bool(torch.minimum(own[WRIST, 2], elbowwards[2]) > other[:, 2].mean() + BEHIND_M)


def _shrink(image: np.ndarray, labels: LabelImage, owned: Sequence[np.ndarray], window: CropWindow) -> _ViewMaps:
    """Means over the area of every window pixel; a pixel counts when nearly all of its area does.

    owned: of every hand, the pixels that it certainly owns.
    """
    owner = np.full((window.camera.height, window.camera.width), -1)
    for hand, pixels in reversed([*enumerate(owned)]):
        owner[_mostly(window.shrink(pixels)) > 0] = hand
    return _ViewMaps(
        image=window.shrink(image),
        target=window.shrink(labels.target),
        background=window.shrink(labels.background),
        colour_weight=_mostly(window.shrink(labels.colour_valid)),
        background_known=np.full(owner.shape, labels.background_known),
        hand_share=window.shrink(labels.label == HAND),
        silhouette_weight=_mostly(window.shrink(labels.label != UNKNOWN)),
        clipped=clipped_means(labels.clipped, window.shrink),
        owner=owner,
    )


def _mostly(share: np.ndarray) -> np.ndarray:
    return (share > NEARLY_ALL).astype(np.float32)


def _flatten(
    found: Sequence[tuple[_Seen, _ViewMaps]],
    sequence: HandSequence,
    device: torch.device,
    *,
    several_hands: bool,
) -> Observations:
    keys, windows = tuple(view.key for view, _ in found), tuple(view.window for view, _ in found)
    views = ViewSet(tuple(View(k, w.camera) for (k, _), w in zip(keys, windows, strict=True)))
    camera_names = tuple(sequence.cameras)

    def flat(name: str) -> Tensor:
        maps = [getattr(of_view, name) for _, of_view in found]
        return torch.cat([torch.as_tensor(m).flatten(0, 1) for m in maps]).to(device)

    def per_view(values: list[int] | list[bool]) -> Tensor:
        return torch.tensor(values, device=device)[views.view_of_pixel(device)]

    return Observations(
        views=views,
        keys=keys,
        windows=windows,
        camera_names=camera_names,
        image=flat("image"),
        target=flat("target"),
        background=flat("background"),
        colour_weight=flat("colour_weight"),
        background_known=flat("background_known"),
        hand_share=flat("hand_share"),
        silhouette_weight=flat("silhouette_weight"),
        grey_pixel=per_view([sequence.cameras[name].grey for _, name in keys]),
        camera_of_pixel=per_view([camera_names.index(name) for _, name in keys]),
        hand_of_view=tuple(view.hand for view, _ in found) if several_hands else None,
        owner=flat("owner") if several_hands else None,
        clipped=flat("clipped"),
    )

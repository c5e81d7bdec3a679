"""What the video says, pixel by pixel, cropped to the hands and resampled to the rendering's resolution."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import Config, LabelConfig
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations
from handrefine.preprocess.crops import Window, window_around
from handrefine.preprocess.masks.labels import (
    HAND,
    UNKNOWN,
    LabelImage,
    LabelSettings,
    black_border,
    is_black_background,
    make_labels,
)
from handrefine.preprocess.masks.mask_source import SkinSource
from handrefine.preprocess.masks.two_hands import label_two_hands
from handrefine.sequence import MIDDLE_KNUCKLE, WRIST, Camera, HandSequence
from handrefine.views import View, ViewSet

log = logging.getLogger(__name__)
#: How much of an arm may come between camera and hands, and how much further away is certainly behind.
ARM_M, BEHIND_M = 0.15, 0.02


@dataclass(frozen=True, eq=False)
class _ViewData:
    """One view's maps at window resolution; numpy."""

    image: np.ndarray
    target: np.ndarray
    background: np.ndarray
    colour_weight: np.ndarray
    background_known: np.ndarray
    hand_share: np.ndarray
    silhouette_weight: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True, eq=False)
class _Found:
    """One view: frame and camera, the hand that its window surrounds, and what is there."""

    key: tuple[int, str]
    hand: int
    window: Window
    data: _ViewData


def observe(
    sequence: HandSequence,
    frame_indices: list[int],
    hands: Sequence[HandGeometry],
    other_joints_world: Float[Tensor, "frame 21 3"] | None,
    config: Config,
    device: torch.device,
) -> Observations:
    """Crop, label and resample every image, once for every hand that it shows.

    Args:
        frame_indices: frames of the sequence that are refined; `hands` and `other_joints_world` follow them.
        hands: the hands that are refined, as they are annotated; NaN where one is missing.
        other_joints_world: joints of a hand that is there, but is not refined; NaN where there is none.

    Raises:
        InputError: the hands are in no image at all, or an image is broken.
    """
    found: list[_Found] = []
    chosen = config.labels.background
    black = _images_are_over_black(sequence, frame_indices, hands) if chosen == "auto" else chosen == "black"
    skins = _skin_sources(sequence, frame_indices, hands, other_joints_world, config.labels, black)
    for k, frame in enumerate(frame_indices):
        joints_world = [hand.joints_world[k] for hand in hands if _is_known(hand.joints_world[k])]
        for index, (name, camera) in product(range(len(hands)), sequence.cameras.items()):
            if (frame, name) not in sequence.images or not _is_known(hands[index].joints_world[k]):
                continue
            window = window_around(hands[index].verts_world[k], camera, config.crop)
            if window is None:
                log.info("camera %s does not see the hand in frame %d", name, sequence.frames[frame])
                continue
            other = None if other_joints_world is None else other_joints_world[k]
            skin = skins[index].labels(k, name, window)
            data = _view_data(sequence, (frame, name), window, joints_world, other, config.labels, black, skin)
            found.append(_Found((k, name), index, window, data))
    if not found:
        raise InputError(
            "no camera sees the annotated hand",
            where=sequence.name,
            found="its projection lies outside every image",
            fix="check that annotation and cameras belong together",
        )
    return _flatten(found, sequence, device, two_hands=len(hands) == 2)


def _skin_sources(
    sequence: HandSequence,
    frame_indices: list[int],
    hands: Sequence[HandGeometry],
    other_joints_world: Float[Tensor, "frame 21 3"] | None,
    config: LabelConfig,
    black: bool,
) -> list[SkinSource]:
    """One for every refined hand, whose windows it labels."""
    joints = [hand.joints_world for hand in hands]
    others = [] if other_joints_world is None else [other_joints_world]
    return [
        SkinSource(
            sequence, frame_indices, [own, *(j for j in joints if j is not own), *others], config, over_black=black
        )
        for own in joints
    ]


def _is_known(joints_world: Tensor) -> bool:
    return bool(torch.isfinite(joints_world).all())


def _view_data(
    sequence: HandSequence,
    key: tuple[int, str],
    window: Window,
    joints_world: list[Tensor],
    other_joints_world: Tensor | None,
    config: LabelConfig,
    black: bool,
    skin: np.ndarray | None,
) -> _ViewData:
    """joints_world: of the refined hands that are there.

    black: the whole background is, so that black along the image's border is no undistortion's remainder.
    skin: what `SkinSource` says of the window.
    """
    full_image = sequence.images[key]()
    camera = sequence.cameras[key[1]]
    corner = np.array([window.x0_px, window.y0_px])

    def in_crop(points_world: Tensor) -> np.ndarray:
        return camera.project(points_world).detach().cpu().numpy() - corner

    image = window.cut(full_image)
    mask = None if skin is None else skin == HAND
    excluded = np.zeros(image.shape[:2], bool) if black else window.cut(black_border(full_image))
    if skin is not None:
        excluded = excluded | (skin == UNKNOWN)
    settings = replace(_label_settings(config), background="black" if black else "unknown")
    if len(joints_world) == 2:
        both_px = in_crop(joints_world[0]), in_crop(joints_world[1])
        behind = (
            _arm_is_behind(camera, joints_world[0], joints_world[1]),
            _arm_is_behind(camera, joints_world[1], joints_world[0]),
        )
        both = label_two_hands(
            image, both_px, mask=mask, excluded=excluded, arm_is_behind=behind, settings=settings
        )
        return _shrink(image, both.labels, both.owner, window)
    other_px = None
    if other_joints_world is not None and _is_known(other_joints_world):
        other_px = in_crop(other_joints_world)
    labels = make_labels(
        image,
        in_crop(joints_world[0]),
        mask=mask,
        other_joints_px=other_px,
        excluded=excluded,
        settings=settings,
    )
    return _shrink(image, labels, np.full(image.shape[:2], -1, np.int8), window)


def _arm_is_behind(
    camera: Camera, joints_world: Float[Tensor, "21 3"], other_world: Float[Tensor, "21 3"]
) -> bool:
    """Whether the arm, on from the palm through the wrist, is further from the camera than the other hand."""
    own, other = camera.to_camera(joints_world), camera.to_camera(other_world)
    wrist = own[WRIST]
    along = wrist - own[MIDDLE_KNUCKLE]
    elbowwards = wrist + ARM_M * along / along.norm()
    return bool(torch.minimum(wrist[2], elbowwards[2]) > other[:, 2].mean() + BEHIND_M)


def _label_settings(config: LabelConfig) -> LabelSettings:
    return LabelSettings(
        forearm=config.forearm,
        forearm_margin=config.forearm_margin,
        other_hand_px=config.other_hand_px,
        mask_margin_px=config.mask_margin_px,
        near_px=config.near_px,
    )


def _shrink(image: np.ndarray, labels: LabelImage, owner: np.ndarray, window: Window) -> _ViewData:
    """Means over the area of every window pixel; a pixel counts when nearly all of its area does."""
    first, second = (_mostly(window.shrink(owner == hand)) > 0 for hand in (0, 1))
    return _ViewData(
        image=window.shrink(image),
        target=window.shrink(labels.target),
        background=window.shrink(labels.background),
        colour_weight=_mostly(window.shrink(labels.colour_valid)),
        background_known=np.full((window.camera.height, window.camera.width), labels.background_known),
        hand_share=window.shrink(labels.label == HAND),
        silhouette_weight=_mostly(window.shrink(labels.label != UNKNOWN)),
        owner=np.where(first, 0, np.where(second, 1, -1)),
    )


def _mostly(share: np.ndarray) -> np.ndarray:
    return (share > 0.99).astype(np.float32)


def _images_are_over_black(
    sequence: HandSequence, frame_indices: list[int], hands: Sequence[HandGeometry]
) -> bool:
    """Whether the video shows hands over black, by the majority of one frame's views."""
    votes = []
    there = [hand.joints_world[0] for hand in hands if _is_known(hand.joints_world[0])]
    for name, camera in sequence.cameras.items():
        if (frame_indices[0], name) in sequence.images:
            joints_px = [camera.project(joints).detach().cpu().numpy() for joints in there]
            votes.append(is_black_background(sequence.images[frame_indices[0], name](), *joints_px))
    return sum(votes) > len(votes) / 2


def _flatten(
    found: list[_Found], sequence: HandSequence, device: torch.device, *, two_hands: bool
) -> Observations:
    keys, windows = tuple(view.key for view in found), tuple(view.window for view in found)
    views = ViewSet(tuple(View(k, w.camera) for (k, _), w in zip(keys, windows, strict=True)))
    camera_names = tuple(sequence.cameras)

    def flat(name: str) -> Tensor:
        maps = [getattr(view.data, name) for view in found]
        return torch.cat([torch.as_tensor(m).flatten(0, 1) for m in maps]).to(device)

    def per_view(values: list[int] | list[bool]) -> Tensor:
        return torch.tensor(values, device=device)[views.view_of_pixel(device)]

    cameras: list[Camera] = [sequence.cameras[name] for _, name in keys]
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
        grey_pixel=per_view([camera.grey for camera in cameras]),
        camera_of_pixel=per_view([camera_names.index(name) for _, name in keys]),
        hand_of_view=tuple(view.hand for view in found) if two_hands else None,
        owner=flat("owner") if two_hands else None,
    )

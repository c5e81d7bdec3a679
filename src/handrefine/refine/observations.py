"""What the video says, pixel by pixel, cropped to the hand and resampled to the rendering's resolution."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from handrefine.config import Config, LabelConfig
from handrefine.errors import InputError
from handrefine.hand.model import HandGeometry
from handrefine.objective.labels import (
    HAND,
    UNKNOWN,
    LabelImage,
    LabelSettings,
    black_border,
    is_black_background,
    make_labels,
)
from handrefine.refine.skin import SkinSource
from handrefine.refine.windows import Window, window_around
from handrefine.render.base import View, ViewSet
from handrefine.sequence import Camera, HandSequence

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Observations:
    """All views' pixels in the flat order of `views`.

    Attributes:
        keys: (frame index, camera name) of every view; a frame index counts the instants that are refined.
        windows: where every view lies in its camera's full image.
        camera_names: the cameras in the order that `camera_of_pixel` counts.
        image: the image as it was taken, linear RGB.
        target: what the picture should show; background: what stands behind the rendered hand (see `LabelImage`).
        colour_weight: 1 where colours are compared, else 0.
        background_known: False where the background is the image itself.
        hand_share: share of the pixel that labels call hand; silhouette_weight: 1 where they say so, else 0.
        grey_pixel: pixels of grey cameras.
    """

    views: ViewSet
    keys: tuple[tuple[int, str], ...]
    windows: tuple[Window, ...]
    camera_names: tuple[str, ...]
    image: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]
    background: Float[Tensor, "pixel 3"]
    colour_weight: Float[Tensor, " pixel"]
    background_known: Bool[Tensor, " pixel"]
    hand_share: Float[Tensor, " pixel"]
    silhouette_weight: Float[Tensor, " pixel"]
    grey_pixel: Bool[Tensor, " pixel"]
    camera_of_pixel: Int[Tensor, " pixel"]


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


def observe(
    sequence: HandSequence,
    frame_indices: list[int],
    start: HandGeometry,
    other_joints_world: Float[Tensor, "frame 21 3"] | None,
    config: Config,
    device: torch.device,
) -> Observations:
    """Crop, label and resample every image that shows the hand.

    Args:
        frame_indices: instants of the sequence that are refined; `start` and `other_joints_world` follow them.
        other_joints_world: the other hand's joints; NaN where they are not known.

    Raises:
        InputError: the hand is in no image at all, or an image is broken.
    """
    found: list[tuple[tuple[int, str], Window, _ViewData]] = []
    chosen = config.labels.background
    black = _images_are_over_black(sequence, frame_indices, start) if chosen == "auto" else chosen == "black"
    hands = [start.joints_world, *([] if other_joints_world is None else [other_joints_world])]
    skin = SkinSource(sequence, frame_indices, hands, config.labels, over_black=black)
    for k, frame in enumerate(frame_indices):
        for name, camera in sequence.cameras.items():
            if (frame, name) not in sequence.images:
                continue
            window = window_around(start.verts_world[k], camera, config.crop)
            if window is None:
                log.info("camera %s does not see the hand in frame %d", name, sequence.frames[frame])
                continue
            other = None if other_joints_world is None else other_joints_world[k]
            shown = skin.labels(k, name, window)
            data = _view_data(
                sequence, (frame, name), window, start.joints_world[k], other, config.labels, black, shown
            )
            found.append(((k, name), window, data))
    if not found:
        raise InputError(
            "no camera sees the annotated hand",
            where=sequence.name,
            found="its projection lies outside every image",
            fix="check that annotation and cameras belong together",
        )
    return _flatten(found, tuple(sequence.cameras), sequence, device)


def _view_data(
    sequence: HandSequence,
    key: tuple[int, str],
    window: Window,
    joints_world: Tensor,
    other_joints_world: Tensor | None,
    config: LabelConfig,
    black: bool,
    skin: np.ndarray | None,
) -> _ViewData:
    """black: the whole background is, so that black along the image's border is no undistortion's remainder.

    skin: what `SkinSource` says of the window.
    """
    full_image = sequence.images[key]()
    camera = sequence.cameras[key[1]]
    corner = np.array([window.x0_px, window.y0_px])

    def in_crop(points_world: Tensor) -> np.ndarray:
        return camera.project(points_world).detach().cpu().numpy() - corner

    other_px = None
    if other_joints_world is not None and bool(torch.isfinite(other_joints_world).all()):
        other_px = in_crop(other_joints_world)
    image = window.cut(full_image)
    excluded = np.zeros(image.shape[:2], bool) if black else window.cut(black_border(full_image))
    labels = make_labels(
        image,
        in_crop(joints_world),
        mask=None if skin is None else skin == HAND,
        other_joints_px=other_px,
        excluded=excluded if skin is None else excluded | (skin == UNKNOWN),
        settings=replace(_label_settings(config), background="black" if black else "unknown"),
    )
    return _shrink(image, labels, window)


def _label_settings(config: LabelConfig) -> LabelSettings:
    return LabelSettings(
        forearm=config.forearm,
        forearm_margin=config.forearm_margin,
        other_hand_px=config.other_hand_px,
        mask_margin_px=config.mask_margin_px,
        near_px=config.near_px,
    )


def _shrink(image: np.ndarray, labels: LabelImage, window: Window) -> _ViewData:
    """Means over the area of every window pixel; a pixel counts when nearly all of its area does."""
    return _ViewData(
        image=window.shrink(image),
        target=window.shrink(labels.target),
        background=window.shrink(labels.background),
        colour_weight=_mostly(window.shrink(labels.colour_valid)),
        background_known=np.full((window.camera.height, window.camera.width), labels.background_known),
        hand_share=window.shrink(labels.label == HAND),
        silhouette_weight=_mostly(window.shrink(labels.label != UNKNOWN)),
    )


def _mostly(share: np.ndarray) -> np.ndarray:
    return (share > 0.99).astype(np.float32)


def _images_are_over_black(sequence: HandSequence, frame_indices: list[int], start: HandGeometry) -> bool:
    """Whether the video shows a hand over black, by the majority of one instant's views."""
    votes = []
    for name, camera in sequence.cameras.items():
        if (frame_indices[0], name) in sequence.images:
            joints_px = camera.project(start.joints_world[0]).detach().cpu().numpy()
            votes.append(is_black_background(sequence.images[frame_indices[0], name](), joints_px))
    return sum(votes) > len(votes) / 2


def _flatten(
    found: list[tuple[tuple[int, str], Window, _ViewData]],
    camera_names: tuple[str, ...],
    sequence: HandSequence,
    device: torch.device,
) -> Observations:
    keys = tuple(key for key, _, _ in found)
    windows = tuple(window for _, window, _ in found)
    views = ViewSet(tuple(View(k, w.camera) for (k, _), w in zip(keys, windows, strict=True)))

    def flat(name: str) -> Tensor:
        maps = [getattr(data, name) for _, _, data in found]
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
    )

"""What one iteration looks at: the observations at a stage's resolution, dealt out into batches of views."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from handrefine.observations import Observations
from handrefine.refinement.hooks import Batch
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig
from handrefine.views import View, ViewSet

#: Fewer views than this are not worth dividing: an iteration has fixed costs of about as many.
SMALLEST_BATCH = 24
#: Maps of the observations; those that are constant within a view; and those that say yes or no, where a shrunk
#: pixel counts when nearly all of its area does.
_COLOURS = ("image", "target", "background")
_SHARES = ("colour_weight", "background_known", "hand_share", "silhouette_weight")
_OF_VIEW = ("grey_pixel", "camera_of_pixel")
_ALL_OR_NOTHING = ("colour_weight", "background_known", "silhouette_weight")


def batches(problem: Problem, stage: StageConfig) -> tuple[Batch, ...]:
    """The batches that the stage's iterations take in turn; all observations where they are all at once.

    Every frame's views are shuffled by the configured seed and dealt out evenly, so that a batch sees every frame
    and all batches together see every view once.
    """
    whole = problem.observations
    dealt = deal([frame for frame, _ in whole.keys], stage.views_per_frame, problem.config.seed)
    if len(dealt) == 1 and stage.resolution == 1:
        return (Batch(whole, problem.renderer, problem.objective(whole, stage)),)
    small = shrunk(whole, stage.resolution)
    parts = [small] if len(dealt) == 1 else [with_views(small, indices) for indices in dealt]
    render = problem.config.render
    return tuple(
        Batch(part, problem.new_renderer(render, part.views), problem.objective(part, stage)) for part in parts
    )


def deal(frame_of_view: Sequence[int], views_per_frame: int | None, seed: int) -> list[list[int]]:
    """Indices of the views of every batch, ascending."""
    frames: dict[int, list[int]] = {}
    for index, frame in enumerate(frame_of_view):
        frames.setdefault(frame, []).append(index)
    count = 1
    if views_per_frame is not None:
        most = max(map(len, frames.values()))
        count = min(-(-most // views_per_frame), max(1, len(frame_of_view) // SMALLEST_BATCH))
    rng = np.random.default_rng([seed, count])
    dealt: list[list[int]] = [[] for _ in range(count)]
    for number, views in enumerate(frames.values()):
        # Starting with another batch at every frame evens out their sizes.
        for k, index in enumerate(rng.permutation(views)):
            dealt[(k + number) % count].append(int(index))
    return [sorted(indices) for indices in dealt]


def with_views(observations: Observations, indices: Sequence[int]) -> Observations:
    """Some of the views, in the given order."""
    views = ViewSet(tuple(observations.views.views[k] for k in indices))
    offsets, sizes = observations.views.offsets, observations.views.sizes
    pixels = np.concatenate([np.arange(offsets[k], offsets[k] + sizes[k]) for k in indices])
    index = torch.from_numpy(pixels).to(observations.image.device)
    maps = {name: getattr(observations, name)[index] for name in (*_COLOURS, *_SHARES, *_OF_VIEW)}
    keys, windows = (tuple(of[k] for k in indices) for of in (observations.keys, observations.windows))
    hands, owner = observations.hand_of_view, observations.owner
    return replace(
        observations,
        views=views,
        keys=keys,
        windows=windows,
        hand_of_view=None if hands is None else tuple(hands[k] for k in indices),
        owner=None if owner is None else owner[index],
        **maps,
    )


def shrunk(observations: Observations, factor: float) -> Observations:
    """Every view at a lower resolution, each pixel the mean over its area; no side is below 8 px."""
    if factor == 1:
        return observations
    windows = []
    for window in observations.windows:
        width, height = (max(8, round(n * factor)) for n in (window.camera.width, window.camera.height))
        windows.append(replace(window, camera=window.camera.resized(width, height)))
    views = ViewSet(tuple(View(v.frame, w.camera) for v, w in zip(observations.views.views, windows, strict=True)))

    def resized(name: str) -> Tensor:
        return resized_map(getattr(observations, name), all_or_nothing=name in _ALL_OR_NOTHING)

    def resized_map(values: Tensor, *, all_or_nothing: bool) -> Tensor:
        pictures = [
            _area_mean(picture.float().cpu().numpy(), view.camera.width, view.camera.height)
            for picture, view in zip(observations.views.split(values), views.views, strict=True)
        ]
        flat = torch.cat([torch.from_numpy(p).flatten(0, 1) for p in pictures])
        return (flat > 0.99 if all_or_nothing else flat).to(values)

    view_of_pixel = views.view_of_pixel(observations.image.device)
    first_pixel = torch.from_numpy(observations.views.offsets).to(observations.image.device)
    of_view = {name: getattr(observations, name)[first_pixel][view_of_pixel] for name in _OF_VIEW}
    maps = {name: resized(name) for name in (*_COLOURS, *_SHARES)}
    owner = observations.owner
    if owner is not None:
        wholly = [resized_map(owner == hand, all_or_nothing=True) for hand in (0, 1)]
        owner = torch.where(wholly[0], 0, torch.where(wholly[1], 1, -1))
    return replace(observations, views=views, windows=tuple(windows), owner=owner, **of_view, **maps)


def _area_mean(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)

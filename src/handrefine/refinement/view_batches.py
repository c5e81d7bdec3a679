"""What one iteration looks at: the observations at a stage's resolution, dealt out into batches of views."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handrefine.config import StageConfig
from handrefine.observations import Observations
from handrefine.refinement.problem import Job
from handrefine.render.base import Renderer

#: Fewer views than this are not worth dividing: an iteration has fixed costs of about as many.
SMALLEST_BATCH = 24


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the views, and the renderer that draws just them."""

    observations: Observations
    renderer: Renderer


def batches(job: Job, stage: StageConfig) -> list[Batch]:
    """The batches that the stage's iterations take in turn; the job's own observations where they are all at once.

    Every frame's views are shuffled by the job's seed and dealt out evenly, so that a batch sees every frame
    and all batches together see every view once.
    """
    whole = job.observations
    dealt = deal([frame for frame, _ in whole.keys], stage.views_per_frame, job.config.seed)
    if len(dealt) == 1 and stage.resolution == 1:
        return [Batch(whole, job.renderer)]
    small = shrunk(whole, stage.resolution)
    parts = [small] if len(dealt) == 1 else [with_views(small, indices) for indices in dealt]
    return [Batch(part, job.new_renderer(job.renderer_settings, part.views)) for part in parts]


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
    return observations.select(indices)


def shrunk(observations: Observations, factor: float) -> Observations:
    """Every view at a lower resolution."""
    return observations.resized(factor)

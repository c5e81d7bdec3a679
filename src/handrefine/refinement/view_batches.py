"""What one iteration looks at: the observations at a stage's resolution, dealt out into batches of views."""

from collections.abc import Sequence

import numpy as np

from handrefine.refinement.hooks import Batch
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig

#: Fewer views than this are not worth dividing: an iteration has fixed costs of about as many.
SMALLEST_BATCH = 24


def batches(problem: Problem, stage: StageConfig) -> tuple[Batch, ...]:
    """The batches that the stage's iterations take in turn; all observations where they are all at once.

    Every frame's views are shuffled by the configured seed and dealt out evenly, so that a batch sees every frame
    and all batches together see every view once.
    """
    whole = problem.observations
    dealt = deal([frame for frame, _ in whole.keys], stage.views_per_frame, problem.config.seed)
    if len(dealt) == 1 and stage.resolution == 1:
        return (Batch(whole, problem.renderer, problem.objective(whole, stage)),)
    small = whole.resized(stage.resolution)
    parts = [small] if len(dealt) == 1 else [small.select(indices) for indices in dealt]
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

"""What a running refinement looks like: some views every few seconds, for whoever follows it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from handrefine.refinement.hooks import Hook, Iteration
from handrefine.sequence import FrameId

#: Views that are shown at a time, and seconds between two looks.
MOST_VIEWS, EVERY_S = 4, 3.0


@dataclass(frozen=True, eq=False)
class LiveView:
    """One view as an iteration saw it: linear RGB of image and render, and what the hands cover."""

    camera: str
    frame: FrameId
    image: Float[np.ndarray, "height width 3"]
    rgb: Float[np.ndarray, "height width 3"]
    coverage: Float[np.ndarray, "height width"]


class ShowViews(Hook):
    """Hands out views of the iteration that has just ended, no more often than every few seconds."""

    def __init__(
        self, show: Callable[[Sequence[LiveView]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show, self._clock = show, clock
        self._due_s = clock()

    def iteration_ended(self, iteration: Iteration) -> None:
        if self._clock() >= self._due_s:
            self._show(_views(iteration))
            self._due_s = self._clock() + EVERY_S


@torch.no_grad()
def _views(iteration: Iteration) -> list[LiveView]:
    seen, prediction = iteration.batch.observations, iteration.iterate.prediction
    pixels = torch.cat([seen.image, prediction.hand_rgb, prediction.coverage[:, None]], dim=1)
    split = seen.views.split(pixels)
    frames = iteration.stage.problem.sequence.frames
    chosen = range(0, len(split), max(1, len(split) // MOST_VIEWS))[:MOST_VIEWS]
    return [
        LiveView(seen.keys[k][1], frames[seen.keys[k][0]], *_parts(split[k].float().cpu().numpy())) for k in chosen
    ]


def _parts(pixels: Float[np.ndarray, "height width 7"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return pixels[..., :3], pixels[..., 3:6], pixels[..., 6]

"""The refinement of one video, alone or as one of several: its stages, what watches them, and the result."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from handrefine.progress import Progress
from handrefine.refinement.camera_mending import MendCameras
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.live_views import ShowViews
from handrefine.refinement.problem import Problem
from handrefine.refinement.restart import Restart
from handrefine.refinement.result import Found, run_result
from handrefine.refinement.seldom_seen import CalmTextures, Gathered
from handrefine.refinement.session import Session
from handrefine.refinement.stages import SEEDS_PER_RUN, MakeSteps, Stages
from handrefine.refinement.watchers import (
    KeepRandomNumbers,
    KeepTextures,
    KeepWarnings,
    Monitor,
    RenewLabels,
    WatchCameras,
    WatchVisibility,
    WriteLog,
)
from handrefine.runs.result import RunResult
from handrefine.sequence import Side

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Together:
    """What a video has in common with others: the optimiser's steps, and what all have seen of their textures."""

    make_steps: MakeSteps | None = None
    seen: Gathered = field(default_factory=lambda: Gathered(1))


class VideoRefinement:
    """One video, ready to run its stages.

    Args:
        monitors: by hand, extra figures of its geometry for the records.
        progress: told of stages and iterations.
        warnings: what has been warned of, and how often; it grows.
        together: with other videos.
        started_s: when the run began, by `time.perf_counter`.
    """

    def __init__(
        self,
        problem: Problem,
        session: Session,
        monitors: Mapping[Side, Monitor],
        progress: Progress,
        warnings: dict[str, int],
        together: Together | None = None,
        *,
        started_s: float,
    ) -> None:
        self._started_s, together = started_s, together or Together()
        config = problem.config
        cameras = CameraWeights(config.camera_weights, problem.observations.camera_names, problem.runtime.device)
        visibility, textures = WatchVisibility(problem, cameras), KeepTextures(problem)
        records = WriteLog([session.record], [monitors.get(hand.side) for hand in problem.hands], progress)
        restart = Restart(cameras, seed=config.seed * SEEDS_PER_RUN + SEEDS_PER_RUN - 1)
        mending = MendCameras(cameras)
        hooks = [
            visibility,
            restart,
            WatchCameras(cameras),
            CalmTextures(cameras, together.seen),
            textures,
            mending,
            RenewLabels(),
            records,
            KeepWarnings(warnings),
            KeepRandomNumbers(),
            *([] if session.show is None else [ShowViews(session.show)]),
        ]
        self._cameras, self._visibility, self._textures = cameras, visibility, textures
        self._records, self._mending, self._warnings = records, mending, warnings
        self.stages = Stages(problem, cameras, lambda: visibility.now, hooks, together.make_steps)

    def result(self, *, finished: bool) -> RunResult:
        """What was found; renders the hands as they were annotated and as they are now.

        Raises:
            InputError: no camera sees one of the hands.
        """
        if not finished:
            log.warning("the run was %s: what it has found by then is no finished result", self.stages.unfinished)
        self._cameras.warn()
        with torch.no_grad():
            seen = self._cameras, self._visibility.now.occluded
            records, mended = self._records.records, self._mending.mended
            found = Found(self._cameras.trusts, records, self._textures.textures, mended, seen)
            result = run_result(self.stages.problem, found)
        return replace(
            result,
            seconds=self._records.earlier_s + time.perf_counter() - self._started_s,
            warnings=self._warnings,
            unfinished=None if finished else self.stages.unfinished,
            left_out=dict(self.stages.safety.counts),
        )

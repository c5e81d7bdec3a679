"""Refining hands of a sequence, from the dataset's annotation to the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from handrefine.config import Config
from handrefine.progress import Progress, Record, SilentProgress
from handrefine.refinement.camera_mending import MendCameras
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.collected_warnings import collected_warnings
from handrefine.refinement.problem import Extensions, prepare
from handrefine.refinement.restart import Restart
from handrefine.refinement.result import Found, run_result
from handrefine.refinement.seldom_seen import CalmTextures
from handrefine.refinement.stages import SEEDS_PER_RUN, run_stages
from handrefine.refinement.watchers import (
    KeepTextures,
    Monitor,
    RenewLabels,
    WatchCameras,
    WatchVisibility,
    WriteLog,
)
from handrefine.runs.result import RunResult
from handrefine.sequence import HandSequence, Side


def refine(
    sequence: HandSequence,
    hands: Side | Sequence[Side] = "right",
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    record: Callable[[Record], None] | None = None,
    monitors: Mapping[Side, Monitor] | None = None,
    extensions: Extensions | None = None,
) -> RunResult:
    """Refine annotations until ray-traced images of the hands match the video's.

    Several hands stand in one scene, in one light, and hide and shadow each other. At frames at which the dataset
    has one of them only, that one is refined alone. A hand that is not named is left alone, as is what it hides.

    Args:
        hands: which hand, or several in one optimization.
        config: all settings; by default handrefine's own preset (`configs/paper.yaml` is the paper's).
        progress: told of stages and iterations.
        record: gets every iteration's record, e.g. to write it to a file.
        monitors: by hand, extra figures of its geometry for the records.
        extensions: further terms of the objective and further unknowns.

    Raises:
        InputError: a hand is not annotated, no camera sees it, an image is broken, no renderer can be set up, or
        the
            hands cannot share what `config.hands` says.
    """
    started = time.perf_counter()
    sides: list[Side] = [hands] if isinstance(hands, str) else list(hands)
    with collected_warnings() as warnings:
        problem = prepare(sequence, sides, config or Config(), extensions)
        cameras = CameraWeights(
            problem.config.camera_weights, problem.observations.camera_names, problem.runtime.device
        )
        visibility, textures = WatchVisibility(problem, cameras), KeepTextures(problem)
        log = WriteLog(
            [] if record is None else [record],
            [(monitors or {}).get(side) for side in sides],
            SilentProgress() if progress is None else progress,
        )
        restart = Restart(cameras, seed=problem.config.seed * SEEDS_PER_RUN + SEEDS_PER_RUN - 1)
        mending = MendCameras(cameras)
        hooks = [
            visibility,
            restart,
            WatchCameras(cameras),
            CalmTextures(cameras),
            textures,
            mending,
            RenewLabels(),
            log,
        ]
        problem = run_stages(problem, cameras, lambda: visibility.now, hooks)
        cameras.warn()
        with torch.no_grad():
            result = run_result(problem, Found(cameras.trusts, log.records, textures.textures, mending.mended))
    return replace(result, seconds=time.perf_counter() - started, warnings=warnings)

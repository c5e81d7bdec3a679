"""Refining hands of a sequence, from the dataset's annotation to the result."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from handrefine.config import Config
from handrefine.progress import Progress, SilentProgress
from handrefine.refinement.camera_mending import MendCameras
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.checkpoints import CheckpointFiles
from handrefine.refinement.collected_warnings import collected_warnings
from handrefine.refinement.fingerprint import fingerprint
from handrefine.refinement.live_views import ShowViews
from handrefine.refinement.problem import Extensions, prepare
from handrefine.refinement.restart import Restart
from handrefine.refinement.result import Found, run_result
from handrefine.refinement.seldom_seen import CalmTextures
from handrefine.refinement.session import Session
from handrefine.refinement.stages import SEEDS_PER_RUN, Stages
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
from handrefine.sequence import HandSequence, Side

log = logging.getLogger(__name__)


def refine(
    sequence: HandSequence,
    hands: Side | Sequence[Side] = "right",
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    monitors: Mapping[Side, Monitor] | None = None,
    extensions: Extensions | None = None,
    session: Session | None = None,
) -> RunResult:
    """Refine annotations until ray-traced images of the hands match the video's.

    Several hands stand in one scene, in one light, and hide and shadow each other. At frames at which the dataset
    has one of them only, that one is refined alone. A hand that is not named is left alone, as is what it hides.

    Args:
        hands: which hand, or several in one optimization.
        config: all settings; by default handrefine's own preset (`configs/paper.yaml` is the paper's).
        progress: told of stages and iterations.
        monitors: by hand, extra figures of its geometry for the records.
        extensions: further terms of the objective and further unknowns.
        session: who gets the records, what stops the run early, and where its checkpoints are.

    Raises:
        InputError: a hand is not annotated, no camera sees it, an image is broken, no renderer can be set up, the
            hands cannot share what `config.hands` says, none of the checkpoints can be used, or the same thing is
            not finite time and again.
    """
    started, session = time.perf_counter(), session or Session()
    sides: list[Side] = [hands] if isinstance(hands, str) else list(hands)
    progress = SilentProgress() if progress is None else progress
    progress.part("labels")
    with collected_warnings() as warnings:
        problem = prepare(sequence, sides, config or Config(), extensions)
        cameras = CameraWeights(
            problem.config.camera_weights, problem.observations.camera_names, problem.runtime.device
        )
        visibility, textures = WatchVisibility(problem, cameras), KeepTextures(problem)
        records = WriteLog(
            [session.record],
            [(monitors or {}).get(side) for side in sides],
            progress,
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
            records,
            KeepWarnings(warnings),
            KeepRandomNumbers(),
            *([] if session.show is None else [ShowViews(session.show)]),
        ]
        stages = Stages(problem, cameras, lambda: visibility.now, hooks)
        finished = _run(stages, session)
        if not finished:
            log.warning("the run was %s: what it has found by then is no finished result", stages.unfinished)
        cameras.warn()
        progress.part("renders")
        with torch.no_grad():
            seen = cameras, visibility.now.occluded
            found = Found(cameras.trusts, records.records, textures.textures, mending.mended, seen)
            result = run_result(stages.problem, found)
    seconds = records.earlier_s + time.perf_counter() - started
    unfinished = None if finished else stages.unfinished
    left_out = dict(stages.safety.counts)
    return replace(result, seconds=seconds, warnings=warnings, unfinished=unfinished, left_out=left_out)


def _run(stages: Stages, session: Session) -> bool:
    """Run the stages, from where the checkpoints say; False where the run was stopped."""
    if session.checkpoints is None:
        return stages.run(stop=session.stop, keep=lambda state, must: None)
    files = CheckpointFiles(session.checkpoints, fingerprint(stages.problem))
    files.load(stages.load_state)
    return stages.run(stop=session.stop, keep=files.keep)

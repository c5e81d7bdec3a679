"""Refining hands of a sequence, or of several of one person, from the dataset's annotation to the result."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from handrefine.config import Config
from handrefine.errors import InputError, VideoError
from handrefine.progress import Progress, SilentProgress
from handrefine.refinement.check import check_together
from handrefine.refinement.checkpoints import CheckpointFiles
from handrefine.refinement.collected_warnings import collected_warnings
from handrefine.refinement.fingerprint import fingerprint
from handrefine.refinement.joint_descent import JointDescent
from handrefine.refinement.problem import Extensions, Problem, prepare
from handrefine.refinement.seldom_seen import Gathered
from handrefine.refinement.session import Session
from handrefine.refinement.stages import Stages, run_stages
from handrefine.refinement.video_refinement import Together, VideoRefinement
from handrefine.refinement.watchers import Monitor
from handrefine.runs.result import RunResult
from handrefine.scene.shared_person import SeveralVideos, share
from handrefine.sequence import HandSequence, Side
from handrefine.state import State


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
        video = VideoRefinement(problem, session, monitors or {}, progress, warnings, started_s=started)
        finished = _run([video.stages], session)
        progress.part("renders")
        return video.result(finished=finished)


@dataclass(frozen=True, kw_only=True)
class Video:
    """One of several videos of a person.

    Attributes:
        hands: which are refined.
        session: of this video; what stops the run and where checkpoints are is for the first video to say.
    """

    sequence: HandSequence
    hands: Sequence[Side] = ("right",)
    session: Session = field(default_factory=Session)


def refine_together(
    videos: Sequence[Video],
    config: Config | None = None,
    *,
    progress: Progress | None = None,
) -> list[RunResult]:
    """Refine several videos of one person in one optimization.

    What is the person's is one unknown for all: the shape, the surface (`surface.modes`) and the texture of each
    hand. Poses, light and cameras are each video's own. The objective is the sum over all views of all videos.

    Args:
        config: of all videos.
        progress: told of the first video's stages and iterations; all videos' are in step.

    Returns:
        The result of every video.

    Raises:
        VideoError: one of the videos cannot be refined; the others could be without it.
        InputError: as `refine`, or a setting asks for what several videos cannot do.
    """
    started, config = time.perf_counter(), config or Config()
    check_together(config)
    progress = SilentProgress() if progress is None else progress
    progress.part("labels")
    with collected_warnings() as warnings:
        problems = [_prepared(video, config, position) for position, video in enumerate(videos)]
        models = [problem.model for problem in problems]
        share([hand for model in models for hand in model.hands], config.hands)
        seen = Gathered(len(problems))
        descent = JointDescent(SeveralVideos(models), [len(of.observations.keys) for of in problems])
        refinements = [
            VideoRefinement(
                problem,
                video.session,
                {},
                progress if position == 0 else SilentProgress(),
                warnings,
                Together(descent.steps_of(position), seen),
                started_s=started,
            )
            for position, (video, problem) in enumerate(zip(videos, problems, strict=True))
        ]
        finished = _run([of.stages for of in refinements], videos[0].session)
        progress.part("renders")
        return [of.result(finished=finished) for of in refinements]


def _prepared(video: Video, config: Config, position: int) -> Problem:
    try:
        return prepare(video.sequence, video.hands, config)
    except InputError as error:
        raise VideoError(error, position) from error


def _run(videos: Sequence[Stages], session: Session) -> bool:
    """Run the stages, from where the checkpoints say; False where the run was stopped."""

    def state() -> State:
        if len(videos) == 1:
            return videos[0].state()
        return {"number": videos[0].number, "videos": [video.state() for video in videos]}

    def load_state(found: State) -> None:
        for video, of in zip(videos, found.get("videos", [found]), strict=True):
            video.load_state(of)

    if session.checkpoints is None:
        return run_stages(videos, state, stop=session.stop, keep=lambda state, must: None)
    files = CheckpointFiles(session.checkpoints, fingerprint([video.problem for video in videos]))
    files.load(load_state)
    return run_stages(videos, state, stop=session.stop, keep=files.keep)

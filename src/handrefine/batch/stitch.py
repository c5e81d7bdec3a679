"""Clips that overlap become one: which run's annotation every frame of a hand gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.errors import InputError
from handrefine.runs.reader import HandRun, open_run
from handrefine.runs.result import RunAnnotation
from handrefine.runs.verdict_file import read_verdicts
from handrefine.sequence import FrameId, HandAnnotation, HandSequence, ManoParameters, Side

#: Of frames whose task is not done, and of those of runs that judged no frames.
NOT_REFINED, NOT_JUDGED = "not refined", "not judged"


@dataclass(frozen=True)
class Choice:
    """A row of the table of verdicts: one hand at one frame of one sequence.

    task: whose annotation it is. used: whether the refined annotation took the place of the dataset's.
    filled: the dataset says nothing there, and the start was interpolated.
    better, beyond: the probabilities that it is nearer to the truth than before, and that it ends too far off.
    """

    sequence: str
    frame: FrameId
    hand: Side
    verdict: str
    confidence: float | None
    used: bool
    task: str
    better: float | None = None
    beyond: float | None = None
    misfit_before: float | None = None
    misfit_after: float | None = None
    misfit_held_out_before: float | None = None
    misfit_held_out_after: float | None = None
    colour_after: float | None = None
    moved_mm: float | None = None
    std_mm: float | None = None
    n_views: int | None = None
    filled: bool = False


Runs = Mapping[tuple[str, Side], RunAnnotation]


def choices(
    folder: BatchFolder, tasks: Sequence[BatchTask], use: set[str]
) -> tuple[list[Choice], dict[tuple[str, Side], RunAnnotation]]:
    """Of every frame of every hand of one sequence the best that its clips say; and the runs' annotations.

    Args:
        tasks: of one sequence.
        use: verdicts of which the refined annotation is to be used.

    Raises:
        InputError: a finished run is broken.
    """
    best: dict[tuple[Side, FrameId], tuple[tuple[float, ...], Choice]] = {}
    runs: dict[tuple[str, Side], RunAnnotation] = {}
    for task in tasks:
        done = folder.state(task.name).status == "done"
        hands = {hand.side: hand for hand in open_run(folder.run(task.name)).hands} if done else {}
        for side in task.task["hands"]:
            said = _said(hands[side], task, use) if side in hands else {}
            if side in hands:
                runs[task.name, side] = hands[side].annotation
            for place, frame in enumerate(task.frames):
                nothing = Choice(task.sequence, frame, side, NOT_REFINED, None, used=False, task=task.name)
                choice = said.get(frame, nothing)
                central = min(place, len(task.frames) - 1 - place)
                rank = (choice.verdict != NOT_REFINED, choice.used, *_sureness(choice), central)
                if (side, frame) not in best or rank > best[side, frame][0]:
                    best[side, frame] = rank, choice
    return [choice for _, choice in (best[key] for key in sorted(best))], runs


def _sureness(choice: Choice) -> tuple[float, float]:
    return -round(choice.beyond or 0.0, 2), round(choice.better or 0.0, 2)


def _said(hand: HandRun, task: BatchTask, use: set[str]) -> dict[FrameId, Choice]:
    """What a run says of every frame at which it refined a hand."""
    verdicts = read_verdicts(hand.layout)
    found = {}
    for frame in hand.annotation.frames:
        of = verdicts.get(frame, {"verdict": NOT_JUDGED, "confidence": None})
        evidence = of.get("evidence") or {}
        misfit, held_out, colour = (evidence.get(k) or {} for k in ("misfit", "misfit_held_out", "colour"))
        found[frame] = Choice(
            sequence=task.sequence,
            frame=frame,
            hand=hand.side,
            verdict=of["verdict"],
            confidence=of["confidence"],
            used=of["verdict"] in use or of["verdict"] == NOT_JUDGED,
            task=task.name,
            better=of.get("better"),
            beyond=of.get("beyond"),
            misfit_before=misfit.get("before"),
            misfit_after=misfit.get("after"),
            misfit_held_out_before=held_out.get("before"),
            misfit_held_out_after=held_out.get("after"),
            colour_after=colour.get("after"),
            moved_mm=evidence.get("moved_mm"),
            std_mm=evidence.get("std_mm"),
            n_views=evidence.get("n_views"),
            filled=bool(of.get("filled", False)),
        )
    return found


def annotation_of(side: Side, used: Sequence[Choice], runs: Runs, sequence: HandSequence) -> HandAnnotation:
    """The refined annotation of one hand at the sequence's frames, valid where it is to be used.

    Raises:
        InputError: the runs are of another hand model than the dataset's annotation, or contradict one another.
    """
    place = {frame: k for k, frame in enumerate(sequence.frames)}
    sources = {row.frame: runs[row.task, side] for row in used}
    models = {(of.hand_model, of.open_hand, of.after.mano.flat_hand_mean) for of in sources.values()}
    if len(models) > 1:
        raise InputError("the runs are of several hand models", where=sequence.name, found=sorted(models))
    ((_, open_hand, flat_hand_mean),) = models
    if open_hand and sequence.official_mano:
        raise InputError(
            "the runs are of the open hand, and users of the dataset expect parameters of the official MANO model",
            where=sequence.name,
            fix="register at mano.is.tue.mpg.de and refine with the model's folder: --hand.model-file",
        )
    count = len(sequence.frames)
    pose, shape, trans, joints = (np.zeros((count, *n)) for n in ((48,), (10,), (3,), (21, 3)))
    valid = np.zeros(count, dtype=bool)
    for frame, run in sources.items():
        row, k, after = run.frames.index(frame), place[frame], run.after
        pose[k], shape[k], trans[k] = after.mano.pose_aa[row], after.mano.shape[row], after.mano.trans_m[row]
        joints[k], valid[k] = after.joints_world[row], True
    mano = ManoParameters(pose, shape, trans, flat_hand_mean=flat_hand_mean, open_hand=open_hand)
    annotation = HandAnnotation(side, mano, valid, joints, np.tile(valid[:, None], (1, 21)))
    return _as_annotated(annotation, sequence, next(iter(sources.values())))


def _as_annotated(annotation: HandAnnotation, sequence: HandSequence, run: RunAnnotation) -> HandAnnotation:
    """With coefficients of principal components where the dataset has them, and joints only where it has any."""
    old, mano = sequence.annotation(annotation.side), annotation.mano
    if old.mano_pca is not None and mano is not None:
        if run.pca_components is None:
            raise InputError(
                "a run does not know the principal components of its hand model",
                where=sequence.name,
                fix="an earlier version made it: refine again",
            )
        annotation = replace(annotation, mano_pca=mano.in_components(run.pca_components))
    if old.joints_world is None:
        annotation = replace(annotation, joints_world=None, joint_valid=None)
    return annotation

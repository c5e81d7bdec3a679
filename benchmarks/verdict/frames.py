"""Every frame of the refined videos: what the evidence says of it, and what the truth says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handrefine.batch.folder import BatchFolder
from handrefine.evaluation.frame_evidence import FrameEvidence, frame_evidence
from handrefine.evaluation.frame_verdict import figures_of
from handrefine.evaluation.held_out import measure_holdout
from handrefine.pipeline import read_task
from handrefine.runs.reader import open_run
from handrefine.synthetic.truth_file import load_truth


@dataclass(frozen=True)
class JudgedFrame:
    """before_mm, after_mm: true mean vertex errors. figures: as the verdict weighs them."""

    sequence: str
    evidence: FrameEvidence
    figures: tuple[float, ...]
    before_mm: float
    after_mm: float


def judged_frames(data: Path, folder: BatchFolder) -> list[JudgedFrame]:
    """Of all tasks that are done, in the order of their names."""
    found = []
    for name in folder.names():
        task, state = folder.task(name), folder.state(name)
        if state.status != "done":
            print(f"{name} is {state.status}: {state.reason}")
            continue
        number = task.sequence.split("Capture")[1].split("/")[0]
        truth = load_truth(data / "truth" / f"{number}.npz", "right")
        result = open_run(folder.run(name)).result()
        _, held_out = read_task(task.ready(folder.run(name)))
        views = measure_holdout(result, held_out).views["right"] if held_out is not None else ()
        hand = result.hand("right")
        evidence = frame_evidence(hand, views)
        rows = [truth.frames.index(frame) for frame in hand.frames]
        before, after = (_error_mm(of.verts_world, truth.verts_world[rows]) for of in (hand.before, hand.after))
        for k, (of, figures) in enumerate(zip(evidence, figures_of(evidence), strict=True)):
            found.append(JudgedFrame(task.sequence, of, figures, before[k], after[k]))
    return found


def _error_mm(verts: np.ndarray, truth: np.ndarray) -> Sequence[float]:
    return (1e3 * np.linalg.norm(verts - truth, axis=2).mean(axis=1)).tolist()

"""A result judged by the outlines that were drawn by hand: what a camera sees of each hand, before and after."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from benchmarks.real.yardstick.yardstick import View, figures, judged, mask
from handrefine.hand.wrist import up_to_wrist
from handrefine.preprocess.masks.fitted_hands import FittedHands
from handrefine.refinement.camera_alignment import SilhouettePair, align
from handrefine.runs.result import RunResult
from handrefine.sequence import Camera, Side

#: By figure (`contour_px`, `iou`, `precision`, `recall`), then by moment.
Judgement = dict[str, dict[str, float | None]]


def judge(result: RunResult, camera: Camera, view: View, *, row: int = 0) -> dict[Side, Judgement]:
    """Every hand's visible share, up to its wrist, against its outline.

    Args:
        camera: full and uncropped, as it is calibrated.
        row: of the hands' frames.
    """
    judgements: dict[Side, Judgement] = {hand.side: {} for hand in result.hands}
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    for moment in moments:
        front, _ = _hands(result, moment, row).surfaces(camera)
        for k, hand in enumerate(result.hands):
            agreement = figures(front == k, view, hand.side, other_modelled=len(result.hands) > 1)
            for name, value in asdict(agreement).items():
                judgements[hand.side].setdefault(name, {})[moment] = value
    return judgements


def with_own_calibration(result: RunResult, camera: Camera, view: View, *, row: int = 0) -> Camera:
    """The camera turned, and scaled where that explains much more, until it shows the refined hands on their
    outlines: what still differs then is not its calibration. The same one where it has no outlines."""
    front, _ = _hands(result, "after", row).surfaces(camera)
    pairs = []
    for k, hand in enumerate(result.hands):
        drawn = mask(view, hand.side, camera.height, camera.width)
        known = judged(view, hand.side, camera.height, camera.width)
        y, x = np.nonzero((drawn | (front == k)) & known)
        if not len(y):
            continue
        window = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
        shown, drawn, known = (of[window].astype(np.float32) for of in (front == k, drawn, known))
        pairs.append(SilhouettePair(shown, drawn, known, np.array([x.min(), y.min()], float), np.ones(2), k))
    found = align(pairs)
    return camera if found is None else found.motion.camera(camera)


def _hands(result: RunResult, moment: Literal["before", "after"], row: int) -> FittedHands:
    states = [hand.before if moment == "before" else hand.after for hand in result.hands]
    verts = {k: np.asarray(state.verts_world[row], float) for k, state in enumerate(states)}
    joints = {k: np.asarray(state.joints_world[row], float) for k, state in enumerate(states)}
    cut = {k: up_to_wrist(hand.topology, verts[k], joints[k]).faces for k, hand in enumerate(result.hands)}
    return FittedHands(verts, joints, cut)

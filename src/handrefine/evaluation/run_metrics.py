"""The figures of `metrics.json` that need no truth: what a run gained, by its masks."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from handrefine.evaluation.masks import MaskAgreement, mask_agreement, mean_agreement
from handrefine.evaluation.measures import MEASURES
from handrefine.evaluation.own_views import own_view_figures
from handrefine.observations import CropWindow
from handrefine.runs.result import HandResult, HandState, Metrics, RunResult, ViewRender, ViewResult
from handrefine.sequence import Camera, FrameIndex, HandSequence, Side

#: A pixel belongs to the rendered hand from this coverage on.
COVERED = 0.5
#: Figures of a run as a whole, the same for every hand; and figures of a single hand's views and frames.
_OF_RUN = ("seconds", "iterations", "left_out", "seed", "version", "variant", "unfinished")
_OF_PARTS = ("per_view", "per_frame")


def metrics_without_truth(result: RunResult, sequence: HandSequence) -> Metrics:
    """Everything that `metrics.json` holds, with null for what needs a truth.

    Args:
        sequence: what was refined; its masks judge.
    """
    return together({side: hand_metrics(result, side, sequence) for side in result.sides})


def hand_metrics(result: RunResult, side: Side, sequence: HandSequence) -> dict[str, object]:
    """The same of one hand, with the figures of its views."""
    hand = result.hand(side)
    agreements = [
        [_agreement(hand, view, state, render, sequence) for view, render in renders]
        for state, renders in (
            (hand.before, [(view, view.before) for view in hand.views]),
            (hand.after, [(view, view.after) for view in hand.views]),
        )
    ]
    unknown = {"before": None, "after": None}
    return {
        "vertex_error_mm": unknown,
        "joint_error_mm": unknown,
        "reprojection_px": unknown,
        **_change(*map(mean_agreement, agreements)),
        "texture_psnr_db": unknown,
        **own_view_figures(hand),
        "surface": {"before": hand.before.surface, "after": hand.after.surface},
        "joint_fit_residual_mm": hand.joint_residual_mm,
        "joint_fit_residual_by_joint_mm": dict(hand.residual_by_joint_mm) or None,
        "seconds": result.seconds,
        "iterations": len(result.records),
        "left_out": dict(result.left_out),
        "seed": result.config.seed,
        "version": result.version,
        "variant": result.variant,
        **({} if result.unfinished is None else {"unfinished": result.unfinished}),
        "per_view": [
            {"frame": view.frame, "camera": view.camera, **_change(*of)}
            for view, *of in zip(hand.views, *agreements, strict=True)
        ],
    }


def together(by_hand: Mapping[Side, Metrics]) -> Metrics:
    """Of one hand its own figures; of several their means, and every hand's own under `hands`."""
    first = next(iter(by_hand.values()))
    if len(by_hand) == 1:
        return first
    means = {name: _mean_change([of.get(name) for of in by_hand.values()]) for name in MEASURES if name in first}
    own = {
        side: {name: value for name, value in of.items() if name not in (*_OF_RUN, *_OF_PARTS)}
        for side, of in by_hand.items()
    }
    return {**means, **{name: first[name] for name in _OF_RUN if name in first}, "hands": own}


def _change(before: MaskAgreement, after: MaskAgreement) -> dict[str, dict[str, float | None]]:
    return {
        "mask_precision": {"before": before.precision, "after": after.precision},
        "mask_recall": {"before": before.recall, "after": after.recall},
    }


def _mean_change(values: list[object]) -> dict[str, float | None]:
    changes = [value for value in values if isinstance(value, Mapping)]

    def mean(moment: str) -> float | None:
        known = [change[moment] for change in changes if change.get(moment) is not None]
        return sum(known) / len(known) if known else None

    return {moment: mean(moment) for moment in ("before", "after")}


def _agreement(
    hand: HandResult, view: ViewResult, state: HandState, render: ViewRender, sequence: HandSequence
) -> MaskAgreement:
    """Of one view; None twice where it has no mask."""
    key = FrameIndex(sequence.frames.index(view.frame)), view.camera
    if key not in sequence.masks:
        return MaskAgreement(None, None)
    camera, row = sequence.cameras[view.camera].at(view.frame), hand.frames.index(view.frame)
    window = CropWindow(*view.window_px, camera=camera)
    covered = covered_in_full(render.own_coverage, window, camera)
    joints_px = project(camera, state.joints_world[row])
    return mask_agreement(covered, sequence.masks[key](), joints_px, joints_of_other_px(hand, row, camera))


def covered_in_full(
    coverage: Float[np.ndarray, "height width"], window: CropWindow, camera: Camera
) -> Bool[np.ndarray, "full_height full_width"]:
    """The pixels of the full image that belong to a hand rendered in its window."""
    covered = np.zeros((camera.height, camera.width), dtype=bool)
    window.cut(covered)[:] = window.enlarge(coverage) > COVERED
    return covered


def joints_of_other_px(hand: HandResult, row: int, camera: Camera) -> Float[np.ndarray, "21 2"] | None:
    """Where the annotation puts the hand that is not this one, at one of this hand's frames."""
    other = hand.other_joints_world
    if other is None or not np.isfinite(other[row]).all():
        return None
    return project(camera, other[row])


def project(camera: Camera, joints_world: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "21 2"]:
    return camera.pixels(joints_world)

"""Is a result at least as good as what it began with? Told by the views of the fit and held-out ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from handrefine.evaluation.measures import HOLDOUT_MEASURES, Measure
from handrefine.preprocess.masks.sensor_range import clipped_channels
from handrefine.runs.result import HAND, UNKNOWN, HandResult, Metrics, RunResult, ViewResult

#: A result is worse where its misfit has grown by more than this share: less may be noise of a short run.
WORSE = 0.1
#: ... and by more than so much of what it is at most, 1.
LEAST_MISFIT = 0.002
#: Share of the area that the hand covered before, below which it has left the pictures.
GONE = 0.2
#: What held-out cameras say: figures of which the hand may lose a little, and how much.
HELD_OUT_SLACK = {"contour_distance_px": 0.25, "photometric_error": 0.002}
Moment = Literal["before", "after"]


@dataclass(frozen=True)
class Misfit:
    """What one state leaves unexplained in the views of the fit; None where they tell nothing of it.

    colours: mean of `|render - image|` where the hand is seen, white being 1.
    silhouette: share of the labelled pixels that are covered and should not be, or the other way round.
    covered: pixels that hands cover.
    """

    colours: float | None
    silhouette: float | None
    covered: float


def against(result: RunResult, hand: HandResult, held_out: Metrics | None = None) -> list[str]:
    """What speaks against a refined hand; nothing where it is at least as good as the annotation was.

    Both states are rendered with the refined texture and light, the same random numbers and the same labels, so
    that the annotation is never favoured. Both terms count as in the objective, and cameras by their weights.

    Args:
        held_out: of this hand, the contents of `holdout.json`.
    """
    if not all(np.isfinite(values).all() for values in (hand.after.verts_world, hand.after.mano.pose_aa)):
        return [f"the refined {hand.side} hand holds values that are not finite"]
    weights = {of.camera.name: of.weight for of in result.cameras}
    before, after = (misfit(hand.views, moment, weights) for moment in ("before", "after"))
    reasons = []
    terms = result.config.losses.chosen()
    shares = {name: getattr(terms.get(term), "weight", 0.0) for name, term in _TERMS.items()}
    pairs = [(getattr(before, name), getattr(after, name), share) for name, share in shares.items()]
    known = [(old, new, share) for old, new, share in pairs if old is not None and new is not None and share > 0]
    if known:
        whole = sum(share for *_, share in known)
        old, new = (sum(pair[k] * pair[2] for pair in known) / whole for k in (0, 1))
        if new > (1 + WORSE) * old + LEAST_MISFIT:
            reasons.append(
                f"the refined {hand.side} hand explains the images worse than the annotation did: a misfit of"
                f" {new:.3f} in place of {old:.3f}"
            )
    if after.silhouette is None and after.covered < GONE * before.covered:
        reasons.append(
            f"the refined {hand.side} hand has left the pictures: it covers {after.covered:.0f} px in place of"
            f" {before.covered:.0f}"
        )
    return reasons + _against_by_held_out(hand, held_out)


#: Which term of the objective each part of a misfit stands for.
_TERMS = {"colours": "data", "silhouette": "silhouette"}


def misfit(views: Sequence[ViewResult], moment: Moment, weights: Mapping[str, float]) -> Misfit:
    """Of all views together; weights: of the cameras, by their names."""
    colour, seen, wrong, labelled, covered = (0.0 for _ in range(5))
    told = any((view.label == HAND).any() for view in views)
    for view in views:
        render, weight = getattr(view, moment), weights.get(view.camera, 1.0)
        rgb, coverage = np.nan_to_num(render.rgb), np.nan_to_num(render.coverage)
        known = (view.label != UNKNOWN) if told else np.ones_like(view.label, bool)
        compared = known & np.all(clipped_channels(view.image) <= 0, axis=2)
        difference = np.abs(rgb - coverage[..., None] * view.image).mean(axis=2)
        colour += weight * float(difference[compared].sum())
        seen += weight * float(coverage[compared].sum())
        wrong += weight * float(np.abs(coverage - (view.label == HAND))[known].sum())
        labelled += weight * int(known.sum())
        covered += float(coverage.sum())
    return Misfit(
        colour / seen if seen > 0 else None,
        wrong / labelled if told and labelled else None,
        covered,
    )


def _against_by_held_out(hand: HandResult, held_out: Metrics | None) -> list[str]:
    """Something is worse on held-out cameras, and nothing is better."""
    if held_out is None:
        return []
    worse, better = [], 0
    for name, slack in HELD_OUT_SLACK.items():
        measure, change = HOLDOUT_MEASURES[name], held_out["mean"].get(name) or {}
        old, new = change.get("before"), change.get("after")
        if old is None or new is None:
            continue
        if new > (1 + WORSE) * old + slack:
            worse.append(f"{measure.name} {_shown(measure, new)} in place of {_shown(measure, old)}")
        better += new < (1 - WORSE) * old - slack
    if not worse or better:
        return []
    return [f"held-out cameras show the refined {hand.side} hand worse than the annotation: " + ", ".join(worse)]


def _shown(measure: Measure, value: float) -> str:
    return f"{measure.scale * value:.{measure.digits}f} {measure.unit}"

"""What tells, without any truth, how good one hand is at one frame: before the refinement and after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from handrefine.colour_fit import apply_transform
from handrefine.evaluation.photometric import FULLY_COVERED, photometric_error
from handrefine.preprocess.masks.sensor_range import clipped_channels
from handrefine.runs.judgement import HeldOutView
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN, HandResult, ViewRender, ViewResult
from handrefine.sequence import FrameId

#: A pixel belongs to the rendered hands from this coverage on.
COVERED = 0.5
View = ViewResult | HeldOutView
Moment = str
MOMENTS = ("before", "after")


@dataclass(frozen=True)
class Change:
    """A figure before and after; None where nothing tells it."""

    before: float | None
    after: float | None


@dataclass(frozen=True)
class FrameEvidence:
    """Of one hand at one frame.

    Attributes:
        misfit: pixels at which render and labels differ, as a share of those that labels call hand; median over
            the views that were fitted. misfit_held_out: over cameras that the fit never saw.
        colour, colour_held_out: mean absolute difference of colours where the hand covers pixels wholly (white is
            1), after each camera's own colour transform, which all frames share; median over views.
        jump_mm: mean distance of the joints from where their neighbours in time put them; None at either end.
        moved_mm: mean distance that the refinement moved the vertices.
        std_mm: by how much the joints' places are uncertain, mean over joints; None where that is not known.
        known: share of the rendered hand (after) that lies where labels say something.
        n_views, n_held_out: images that show the hand.
    """

    frame: FrameId
    misfit: Change
    misfit_held_out: Change
    colour: Change
    colour_held_out: Change
    jump_mm: Change
    moved_mm: float
    std_mm: float | None
    known: float | None
    n_views: int
    n_held_out: int

    def to_mapping(self) -> dict[str, object]:
        return asdict(self)


def frame_evidence(hand: HandResult, held_out: Sequence[HeldOutView] = ()) -> list[FrameEvidence]:
    """The evidence of every frame at which a hand was refined, in their order.

    Args:
        held_out: views of this hand by cameras that the fit never saw.
    """
    figures = {
        name: {moment: _by_frame(views, moment) for moment in MOMENTS}
        for name, views in (("own", hand.views), ("held_out", held_out))
    }
    jumps = {
        "before": _jumps_mm(hand, hand.before.joints_world),
        "after": _jumps_mm(hand, hand.after.joints_world),
    }
    moved_m = np.linalg.norm(hand.after.verts_world - hand.before.verts_world, axis=2).mean(axis=1)

    def change(of: Mapping[Moment, Mapping[FrameId, "_Figures"]], name: str, frame: FrameId) -> Change:
        return Change(*(getattr(of[moment].get(frame, _Figures()), name) for moment in MOMENTS))

    return [
        FrameEvidence(
            frame=frame,
            misfit=change(figures["own"], "misfit", frame),
            misfit_held_out=change(figures["held_out"], "misfit", frame),
            colour=change(figures["own"], "colour", frame),
            colour_held_out=change(figures["held_out"], "colour", frame),
            jump_mm=Change(jumps["before"][row], jumps["after"][row]),
            moved_mm=1e3 * float(moved_m[row]),
            std_mm=None if hand.evidence is None else float(hand.evidence.std_mm[row].mean()),
            known=figures["own"]["after"].get(frame, _Figures()).known,
            n_views=sum(view.frame == frame for view in hand.views),
            n_held_out=sum(view.frame == frame for view in held_out),
        )
        for row, frame in enumerate(hand.frames)
    ]


@dataclass(frozen=True)
class _Figures:
    misfit: float | None = None
    colour: float | None = None
    known: float | None = None


def _by_frame(views: Sequence[View], moment: Moment) -> dict[FrameId, _Figures]:
    renders: list[ViewRender] = [getattr(view, moment) for view in views]
    colours = _colour_errors(views, renders)
    found = {}
    for frame in dict.fromkeys(view.frame for view in views):
        rows = [k for k, view in enumerate(views) if view.frame == frame]
        covered = sum(_count(_covered(renders[k].own_coverage)) for k in rows)
        known = sum(_count(_covered(renders[k].own_coverage) & (views[k].label != UNKNOWN)) for k in rows)
        found[frame] = _Figures(
            misfit=median(_misfit(renders[k].coverage, views[k].label) for k in rows),
            colour=median(colours[k] for k in rows),
            known=known / covered if covered else None,
        )
    return found


def _misfit(coverage: Float[np.ndarray, "height width"], label: UInt8[np.ndarray, "height width"]) -> float | None:
    """Where the label shows no hand at all, what is rendered there is wrong; None where it tells nothing."""
    shown = _covered(coverage)
    labelled = _count(label == HAND)
    if not labelled and (label[shown] == UNKNOWN).all():
        return None
    wrong = _count(shown & (label == NOT_HAND)) + _count(~shown & (label == HAND))
    return wrong / max(labelled, _count(shown) / 2)


def median(values: Iterable[float | None]) -> float | None:
    """Of those that are there: a camera that is wrong is one of several."""
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else None


def _count(pixels: Bool[np.ndarray, "height width"]) -> int:
    return int(np.count_nonzero(pixels))


def _covered(coverage: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    return coverage > COVERED


def _colour_errors(views: Sequence[View], renders: Sequence[ViewRender]) -> list[float | None]:
    """Of every view, after the transform that suits all views of its camera best."""
    errors: list[float | None] = [None] * len(views)
    for camera in dict.fromkeys(view.camera for view in views):
        rows = [k for k, view in enumerate(views) if view.camera == camera]
        parts = [_pixels(views[k], renders[k]) for k in rows]
        whole = photometric_error(*(torch.cat(of) for of in zip(*parts, strict=True)))
        if whole is None:
            continue
        for k, (rgb, coverage, image, compared) in zip(rows, parts, strict=True):
            counted = compared & (coverage >= FULLY_COVERED)
            if counted.any():
                shown = apply_transform(whole.transform, rgb[counted] / coverage[counted, None])
                errors[k] = float((shown - image[counted]).abs().mean())
    return errors


def _pixels(view: View, render: ViewRender) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colours and coverage of the render, colours of the image, and which of them are compared."""
    compared = np.all(clipped_channels(view.image) <= 0, axis=2)
    if (view.label == HAND).any():
        compared &= view.label != UNKNOWN
    parts = (render.rgb, render.own_coverage, view.image, compared)
    rgb, coverage, image, mask = (torch.as_tensor(part) for part in parts)
    return rgb.flatten(0, 1).float(), coverage.flatten().float(), image.flatten(0, 1).float(), mask.flatten()


def _jumps_mm(hand: HandResult, joints_world: Float[np.ndarray, "frame 21 3"]) -> list[float | None]:
    frames = np.array(hand.frames, dtype=float)
    jumps: list[float | None] = [None] * len(frames)
    for k in range(1, len(frames) - 1):
        share = (frames[k] - frames[k - 1]) / (frames[k + 1] - frames[k - 1])
        between = joints_world[k - 1] * (1 - share) + joints_world[k + 1] * share
        jumps[k] = 1e3 * float(np.linalg.norm(joints_world[k] - between, axis=1).mean())
    return jumps

"""The verdict on a frame: what it rests on, and that it says what it must."""

from dataclasses import replace

import numpy as np
import pytest
from example_run import MOVED_M, example_result

from handrefine.evaluation.frame_evidence import Change, FrameEvidence, frame_evidence
from handrefine.evaluation.frame_verdict import FIGURES, figures_of, probability, verdicts
from handrefine.runs.judgement import HeldOutView
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN, HandResult, ViewResult
from handrefine.sequence import FrameId


def labelled(view: ViewResult) -> ViewResult:
    """With labels that agree with the refined hand wholly."""
    return replace(view, label=np.where(view.after.coverage > 0.5, HAND, NOT_HAND).astype(np.uint8))


@pytest.fixture(scope="module")
def hand() -> HandResult:
    (made,) = example_result(frames=3).hands
    return replace(made, views=tuple(map(labelled, made.views)))


def test_evidence_of_a_hand_that_was_moved_onto_its_labels(hand: HandResult) -> None:
    found = frame_evidence(hand)
    assert [of.frame for of in found] == list(hand.frames)
    for of in found:
        assert of.misfit.after == 0
        assert of.misfit.before is not None
        assert 0.05 < of.misfit.before < 1
        assert of.moved_mm == pytest.approx(1e3 * MOVED_M, rel=1e-4)
        assert (of.known, of.n_views, of.n_held_out) == (1.0, 2, 0)
        assert of.misfit_held_out == of.colour_held_out == Change(None, None)
    assert [of.jump_mm.after for of in found][::2] == [None, None]
    assert found[1].jump_mm.after == pytest.approx(0, abs=1e-3)


def test_a_frame_whose_image_is_another_stands_out(hand: HandResult) -> None:
    """Its colours are of all frames those that the render explains worst, and its labels contradict it."""
    views = [
        replace(view, image=view.after.rgb if view.frame != hand.frames[1] else 1 - view.after.rgb[::-1])
        for view in hand.views
    ]
    wrong = [replace(view, label=view.label[:, ::-1]) if view.frame == hand.frames[1] else view for view in views]
    found = frame_evidence(replace(hand, views=tuple(wrong)))
    colours = [of.colour.after for of in found]
    assert max(range(3), key=lambda k: colours[k] or 0) == 1
    assert (found[1].misfit.after or 0) > 10 * (found[0].misfit.after or 0)


def test_a_frame_that_jumps(hand: HandResult) -> None:
    moved = hand.after.joints_world.copy()
    moved[1, :, 0] += 0.02
    found = frame_evidence(replace(hand, after=replace(hand.after, joints_world=moved)))
    assert found[1].jump_mm.after == pytest.approx(20, abs=0.01)


def test_held_out_views_are_asked_apart(hand: HandResult) -> None:
    unknown = tuple(replace(view, label=np.full_like(view.label, UNKNOWN)) for view in hand.views)
    seen = [
        HeldOutView(view.frame, view.camera, view.image, view.label, view.before, view.after)
        for view in hand.views
    ]
    (first, *_) = frame_evidence(replace(hand, views=unknown), seen)
    assert first.misfit.after is None  # nothing is known there
    assert first.known == 0
    assert first.misfit_held_out.before is not None
    assert first.misfit_held_out.before > first.misfit_held_out.after == 0  # pyright: ignore


def evidence(
    frame: int = 0, misfit: float = 0.02, before: float = 0.4, known: float = 0.9, std_mm: float | None = 1.0
) -> FrameEvidence:
    change, colour = Change(before, misfit), Change(0.08, 0.02)
    jump = Change(1.0, 1.0)
    return FrameEvidence(FrameId(frame), change, change, colour, colour, jump, 10.0, std_mm, known, 4, 1)


def test_what_is_said() -> None:
    good, lost = evidence(0), evidence(1, misfit=0.6, before=0.4)
    blind = evidence(2, misfit=0.0, before=0.0, known=0.0, std_mm=8.0)
    said = verdicts([good, good, good, lost, blind])
    assert [of.verdict for of in said] == ["improved"] * 3 + ["beyond repair"] * 2
    assert all(0.35 <= of.confidence <= 1 for of in said)
    assert said[0].to_mapping()["evidence"]["misfit"] == {"before": 0.4, "after": 0.02}  # pyright: ignore


def test_a_good_annotation_that_hardly_moved_is_not_beyond_repair() -> None:
    """Its misfit was small before, so that it cannot fall much."""
    good = replace(
        evidence(before=0.03), colour=Change(0.025, 0.02), colour_held_out=Change(0.025, 0.02), moved_mm=1.0
    )
    (said,) = verdicts([good])
    assert said.verdict != "beyond repair"
    assert said.beyond < 0.1


def test_joints_that_are_uncertain_are_less_to_be_trusted() -> None:
    beyond = [verdicts([evidence(std_mm=std)])[0].beyond for std in (0.5, 2.0, None, 8.0)]
    assert beyond == sorted(beyond)


def test_one_wrong_camera_of_three_does_not_speak_for_all(hand: HandResult) -> None:
    views = [view for view in hand.views if view.frame == hand.frames[0]]
    wrong = replace(views[0], camera="wrong", label=views[0].label[:, ::-1])
    (first, *_) = frame_evidence(replace(hand, views=(*views, wrong)))
    assert first.misfit.after == 0


def test_more_misfit_is_never_better() -> None:
    found = [verdicts([evidence(misfit=misfit)])[0] for misfit in (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)]
    assert [of.beyond for of in found] == sorted(of.beyond for of in found)
    assert [of.better for of in found] == sorted((of.better for of in found), reverse=True)
    assert len(figures_of([evidence()])[0]) == len(FIGURES)
    assert probability((0.0, 1.0), (1000.0,)) == pytest.approx(1)

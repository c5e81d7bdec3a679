"""What speaks against a result, by the pictures of its own views and of held-out cameras."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from made_run import made_result

from handrefine.evaluation.verdict import against
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN, HandResult, RunResult, ViewRender, ViewResult

SIZE = 40
Square = tuple[int, float]  # first column of a square of 16 px, and its brightness


def picture(square: Square) -> tuple[np.ndarray, np.ndarray]:
    coverage = np.zeros((SIZE, SIZE), np.float32)
    coverage[10:26, square[0] : square[0] + 16] = 1
    return coverage[..., None] * np.full(3, square[1], np.float32), coverage


def render(square: Square) -> ViewRender:
    rgb, coverage = picture(square)
    return ViewRender(rgb, coverage, coverage)


def judged(before: Square, after: Square, *, labelled: bool = True, held_out: Mapping | None = None) -> list[str]:
    """The image shows the square at column 10, of brightness 0.5."""
    rgb, coverage = picture((10, 0.5))
    label = np.where(coverage > 0, HAND, NOT_HAND) if labelled else np.full((SIZE, SIZE), UNKNOWN)
    result = made_result()
    view = ViewResult(
        frame=result.hands[0].frames[0],
        camera="front",
        window_px=(0, 0, SIZE, SIZE),
        size_px=(SIZE, SIZE),
        image=rgb + 0.2 * (1 - coverage[..., None]),
        label=label.astype(np.uint8),
        before=render(before),
        after=render(after),
    )
    hand = replace(result.hands[0], views=(view,))
    return against(replace(result, hands=(hand,)), hand, held_out)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("after", [(10, 0.5), (12, 0.45), (14, 0.4)])
def test_nothing_speaks_against_a_hand_that_is_at_least_as_good(after: Square, labelled: bool) -> None:
    assert judged((14, 0.4), after, labelled=labelled) == []


@pytest.mark.parametrize("after", [(24, 0.5), (16, 0.5)])
def test_a_hand_beside_its_labels_is_worse(after: Square) -> None:
    (reason,) = judged((12, 0.5), after)
    assert "explains the images worse" in reason


def test_colours_alone_tell_as_well() -> None:
    (reason,) = judged((10, 0.5), (10, 0.9), labelled=False)
    assert "explains the images worse" in reason


def test_without_labels_a_hand_that_has_left_the_pictures_explains_nothing() -> None:
    (reason,) = judged((12, 0.5), (39, 0.2), labelled=False)
    assert "left the pictures" in reason


def test_values_that_are_not_finite_are_told() -> None:
    result: RunResult = made_result()
    hand: HandResult = result.hands[0]
    verts_world = hand.after.verts_world.copy()
    verts_world[1, 5] = np.nan
    (reason,) = against(result, replace(hand, after=replace(hand.after, verts_world=verts_world)))
    assert "not finite" in reason


@pytest.mark.parametrize(
    ("contour_px", "error", "worse"),
    [
        ((2.0, 2.3), (0.05, 0.05), False),  # within the slack
        ((2.0, 3.0), (0.05, 0.05), True),
        ((2.0, 3.0), (0.05, 0.03), False),  # one says this, the other that
        ((2.0, 1.0), (0.05, 0.07), False),
        ((None, None), (0.05, 0.07), True),
        ((None, None), (None, None), False),
    ],
)
def test_held_out_cameras_have_a_say(contour_px, error, worse: bool) -> None:
    figures = {"contour_distance_px": contour_px, "photometric_error": error}
    held_out = {"mean": {name: dict(zip(("before", "after"), of, strict=True)) for name, of in figures.items()}}
    reasons = judged((12, 0.5), (11, 0.5), held_out=held_out)
    assert len(reasons) == worse
    assert all("held-out cameras show" in reason for reason in reasons)

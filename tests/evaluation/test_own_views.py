"""Figures that need neither truth nor mask: they fall where the render comes nearer, and see dark spots."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from example_run import example_result

from handrefine.evaluation.own_views import dark_share, own_view_figures
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN, HandResult


@pytest.fixture(scope="module")
def hand() -> HandResult:
    """Labels and images are the hand's as it is after; before it stood 8 mm beside."""
    return example_result(frames=1, size=64, texture=16).hands[0]


def test_figures_fall_as_the_render_comes_nearer(hand: HandResult):
    figures = own_view_figures(hand)
    for name in ("photometric_error", "label_contour_px"):
        before, after = figures[name]["before"], figures[name]["after"]
        assert before is not None
        assert after is not None
        assert after < before
    assert figures["label_contour_px"]["after"] == 0


def test_labels_count_in_pixels_of_the_full_image(hand: HandResult):
    twice = replace(hand, views=tuple(replace(view, window_px=(0, 0, 128, 128)) for view in hand.views))
    own, full = (own_view_figures(of)["label_contour_px"]["before"] for of in (hand, twice))
    assert own is not None
    assert full == pytest.approx(2 * own)


def test_where_labels_know_nothing_colours_still_tell(hand: HandResult):
    views = tuple(replace(view, label=np.full_like(view.label, UNKNOWN)) for view in hand.views)
    figures = own_view_figures(replace(hand, views=views))
    assert figures["label_contour_px"] == {"before": None, "after": None}
    assert figures["photometric_error"]["after"] is not None


def test_labels_by_colour_have_a_contour_in_their_unknown_rim(hand: HandResult):
    """Half a pixel beside the true one on average, and far less than 8 mm away from it."""
    views = []
    for view in hand.views:
        skin = view.label == HAND
        rim = skin & ~(cv2.erode(skin.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        views.append(replace(view, label=np.where(rim, UNKNOWN, view.label).astype(view.label.dtype)))
    with_rim = own_view_figures(replace(hand, views=tuple(views)))["label_contour_px"]
    without = own_view_figures(hand)["label_contour_px"]
    assert with_rim["after"] == pytest.approx(0.5, abs=0.2)
    assert with_rim["before"] == pytest.approx(without["before"], rel=0.3)


def test_saturated_pixels_are_not_compared(hand: HandResult):
    views = tuple(replace(view, image=np.ones_like(view.image)) for view in hand.views)
    assert own_view_figures(replace(hand, views=views))["photometric_error"]["after"] is None


def test_labels_without_a_hand_have_no_contour(hand: HandResult):
    views = tuple(replace(view, label=np.full_like(view.label, NOT_HAND)) for view in hand.views)
    assert own_view_figures(replace(hand, views=views))["label_contour_px"]["after"] is None
    assert HAND not in views[0].label


def test_dark_spots_are_told_by_a_fifth_of_the_median():
    rgb = np.full((10, 10, 3), 0.5, np.float32)
    rgb[0, :5], rgb[1] = 0.09, 0.11
    coverage = np.ones((10, 10), np.float32)
    coverage[0, 0] = 0.5
    assert dark_share(rgb, coverage) == pytest.approx(4 / 99)
    assert dark_share(rgb, np.zeros_like(coverage)) is None

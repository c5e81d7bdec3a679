"""The yardstick of the real capture: outlines become pixels, known errors give known figures, data are whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real.yardstick.__main__ import nearer, table
from benchmarks.real.yardstick.yardstick import (
    REAL_MULTIVIEW,
    HandOutline,
    Ring,
    View,
    figures,
    filled,
    judged,
    load,
    mask,
)

from handrefine.errors import InputError
from handrefine.sequence import Side, sides_of

SIZE = 120, 160  # height, width


def box(x0: float, y0: float, x1: float, y1: float) -> Ring:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def hand(*rings: Ring, wrist: list[list[float]] | None = None, forearm: tuple[Ring, ...] = ()) -> HandOutline:
    return HandOutline(rings, None if wrist is None else np.array(wrist, float), forearm)


def drawn(right: HandOutline, unsure: tuple[Ring, ...] = ()) -> View:
    return View(right, hand(box(130, 10, 150, 30)), unsure)


def pixels(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    region = np.zeros(SIZE, bool)
    region[y0:y1, x0:x1] = True
    return region


SQUARE = drawn(hand(box(50, 40, 90, 80)))


@pytest.mark.parametrize(("shift", "first"), [(0.0, 10), (0.3, 10), (0.7, 11)])
def test_a_pixel_is_inside_where_half_of_it_is(shift: float, first: int):
    region = filled([box(10 + shift, 20, 20 + shift, 30)], *SIZE)
    assert np.array_equal(region, pixels(first, 20, first + 10, 30))


def test_holes_are_even_odd_and_outlines_may_leave_the_image():
    ring = filled([box(10, 10, 50, 50), box(20, 20, 30, 30), box(22, 22, 25, 25)], *SIZE)
    assert np.count_nonzero(ring) == 40 * 40 - 10 * 10 + 3 * 3
    assert not ring[21, 21]
    assert ring[23, 23]
    assert np.array_equal(filled([box(-10, -10, 5, 5)], *SIZE), pixels(0, 0, 5, 5))
    assert not filled([box(-10, -10, -5, -5)], *SIZE).any()
    assert not filled([], *SIZE).any()


def test_the_right_region_has_no_error():
    of = figures(pixels(50, 40, 90, 80), SQUARE, "right")
    assert (of.contour_px, of.iou, of.precision, of.recall) == (0.0, 1.0, 1.0, 1.0)


def test_a_hand_too_large_all_around():
    of = figures(pixels(47, 37, 93, 83), SQUARE, "right")
    assert of.contour_px == pytest.approx(3.0, abs=0.1)  # its corners are a little further away
    assert of.iou == pytest.approx(40**2 / 46**2)
    assert of.precision == pytest.approx(40**2 / 46**2)
    assert of.recall == 1.0


def test_a_hand_beside_its_place():
    of = figures(pixels(54, 40, 94, 80), SQUARE, "right")
    assert of.iou == pytest.approx(36 / 44)
    assert of.precision == of.recall == pytest.approx(36 / 40)
    # One upright side is 4 px off, the other one too but for its ends, which are near the drawn level sides;
    # of the level sides 36 px lie on each other. Contours meet at corners half a pixel off in both directions.
    end_px = sum(np.hypot(0.5, off) for off in (0.5, 1.5, 2.5, 3.5))
    assert of.contour_px == pytest.approx((40 * 4 + 32 * 4 + 2 * end_px + 2 * end_px) / 160, abs=1e-6)


def test_no_render_at_all():
    of = figures(np.zeros(SIZE, bool), SQUARE, "right")
    assert (of.contour_px, of.iou, of.precision, of.recall) == (None, 0.0, None, 0.0)


@pytest.mark.parametrize("wrist", [[[50, 40], [50, 80]], [[50, 80], [50, 40]]])
def test_nothing_counts_past_the_wrist(wrist: list[list[float]]):
    view = drawn(hand(box(50, 40, 90, 80), wrist=wrist))
    stub = pixels(50, 40, 90, 80) | pixels(30, 35, 50, 85)
    of = figures(stub, view, "right")
    assert (of.contour_px, of.iou) == (0.0, 1.0)
    assert figures(stub, SQUARE, "right").iou == pytest.approx(40**2 / (40**2 + 20 * 50))
    # Beyond the fingers, and further from the wrist than its own length, everything counts.
    assert figures(stub | pixels(90, 40, 95, 80), view, "right").iou == pytest.approx(40 / 45)
    assert figures(stub | pixels(0, 40, 10, 80), view, "right").iou == pytest.approx(40 / 50)


def test_a_finger_over_the_forearm_counts():
    view = drawn(hand(box(50, 40, 90, 80), box(20, 50, 50, 60), wrist=[[50, 40], [50, 80]]))
    of = figures(pixels(50, 40, 90, 80), view, "right")
    assert of.recall == pytest.approx(40**2 / (40**2 + 30 * 10))


def test_forearms_and_unsure_regions_do_not_count():
    view = drawn(hand(box(50, 40, 90, 80), forearm=(box(90, 40, 110, 80),)), unsure=(box(50, 80, 90, 90),))
    of = figures(pixels(50, 40, 110, 90), view, "right")
    assert of.recall == 1.0
    assert of.precision == pytest.approx(40**2 / (40**2 + 20 * 10))  # the corner between both


def test_the_other_hand_hides_only_where_it_is_rendered_too():
    view = View(hand(box(50, 40, 90, 80)), hand(box(90, 40, 120, 80)), ())
    over = pixels(50, 40, 100, 80)
    assert figures(over, view, "right").precision == pytest.approx(40 / 50)
    alone = figures(over, view, "right", other_modelled=False)
    assert (alone.precision, alone.contour_px) == (1.0, 0.0)


def test_a_mask_of_both_hands_is_shared_out():
    view = View(hand(box(20, 40, 40, 60)), hand(box(60, 40, 80, 60)), ())
    rough = pixels(18, 40, 82, 60) | pixels(140, 40, 150, 60)
    assert np.array_equal(nearer(rough, view, "right") | nearer(rough, view, "left"), pixels(18, 40, 82, 60))
    assert not (nearer(rough, view, "right") & nearer(rough, view, "left")).any()
    row = table([("00", "right", figures(nearer(rough, view, "right"), view, "right"))])
    assert "| 00 | right | 62.5 % | 100.0 % | 62.5 % |" in row


def test_damaged_yardsticks_are_refused(tmp_path: Path):
    whole = json.loads(REAL_MULTIVIEW.read_text())["views"]["00"]
    file = tmp_path / "yardstick.json"
    file.write_text(json.dumps({"views": {"00": {"right": whole["right"], "unsure": []}}}))
    with pytest.raises(InputError, match="left"):
        load(file)
    file.write_text(json.dumps({"views": {"00": {**whole, "left": {**whole["left"], "rings": []}}}}))
    with pytest.raises(InputError, match="no outline"):
        load(file)
    file.write_text(json.dumps({"views": {"00": {**whole, "unsure": [[[1, 2], [3, "x"]]]}}}))
    with pytest.raises(InputError, match="camera 00"):
        load(file)


WIDTH, HEIGHT = 1280, 1024


@pytest.mark.parametrize("side", sides_of("both"))
@pytest.mark.parametrize("camera", ["00", "04", "06", "08", "10", "12", "14", "15"])
def test_every_view_has_both_hands_inside_the_image(camera: str, side: Side):
    view = load()[camera]
    outline = view.hand(side)
    for ring in (*outline.rings, *outline.forearm, *view.unsure):
        assert len(ring) >= 3
        assert (ring >= 0).all()
        assert (ring <= (WIDTH, HEIGHT)).all()
    own, other = (filled(of.rings, HEIGHT, WIDTH) for of in (outline, view.other(side)))
    assert np.count_nonzero(own) > 10_000
    assert np.count_nonzero(own & other) < 0.01 * np.count_nonzero(own)
    counted = judged(view, side, HEIGHT, WIDTH)
    assert np.count_nonzero(own & counted) > 0.98 * np.count_nonzero(own)
    perfect = figures(mask(view, side, HEIGHT, WIDTH), view, side)
    assert (perfect.contour_px, perfect.iou) == (0.0, 1.0)


def test_the_yardstick_holds_no_other_views():
    assert sorted(load()) == ["00", "04", "06", "08", "10", "12", "14", "15"]

"""Precision and recall of a render against a mask, on cases that can be counted by hand."""

import numpy as np
import pytest

from handrefine.evaluation.masks import MaskAgreement, mask_agreement, mean_agreement

HEIGHT, WIDTH = 100, 120


def box(y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
    region = np.zeros((HEIGHT, WIDTH), bool)
    region[y0:y1, x0:x1] = True
    return region


def joints_in_box(y0: float, y1: float, x0: float, x1: float) -> np.ndarray:
    """A hand pointing up, whose joints' hull is the pixels y0 ... y1-1, x0 ... x1-1; the wrist is at its foot."""
    joints = np.tile([(x0 + x1) / 2, (y0 + y1) / 2], (21, 1))
    corners = [(x0, y0), (x1 - 1, y0), (x0, y1 - 1), (x1 - 1, y1 - 1)]
    joints[[4, 8, 16, 20]] = np.array(corners) + 0.5
    joints[0] = ((x0 + x1) / 2, y1)
    return joints


JOINTS = joints_in_box(20, 80, 30, 70)


def test_a_perfect_render_scores_one():
    hand = box(20, 80, 30, 70)
    assert mask_agreement(hand, hand, JOINTS) == MaskAgreement(1.0, 1.0)


def test_a_render_half_beside_the_mask_has_a_precision_of_one_half():
    agreement = mask_agreement(box(20, 80, 50, 90), box(20, 80, 30, 70), JOINTS)
    assert agreement.precision == 0.5
    assert agreement.recall == pytest.approx(0.5, abs=1e-12)


def test_recall_ignores_the_mask_outside_the_hull():
    agreement = mask_agreement(box(20, 80, 30, 60), box(0, 100, 0, 120), JOINTS)
    assert agreement.precision == 1.0
    assert agreement.recall == pytest.approx(0.75, abs=1e-12)


def test_beyond_the_wrist_counts_for_nothing():
    hand, forearm = box(20, 80, 30, 70), box(80, 100, 30, 70)
    assert mask_agreement(hand | forearm, hand, JOINTS) == MaskAgreement(1.0, 1.0)
    assert mask_agreement(hand, hand | forearm, JOINTS) == MaskAgreement(1.0, 1.0)


def test_the_other_hands_hull_grown_by_fifteen_pixels_counts_for_nothing():
    """The other hand's hull ends at x = 39; judged are columns 55 to 64, of which the mask holds 6."""
    other = joints_in_box(20, 80, 10, 40)
    other[0] = (25, 50)
    covered, mask = box(30, 70, 30, 65), box(30, 70, 30, 61)
    assert mask_agreement(covered, mask, JOINTS, other).precision == pytest.approx(0.6, abs=1e-12)


def test_nothing_to_judge_gives_none_and_is_left_out_of_the_mean():
    empty = np.zeros((HEIGHT, WIDTH), bool)
    hand = box(20, 80, 30, 70)
    nothing = mask_agreement(empty, hand, JOINTS)
    assert nothing == MaskAgreement(None, 0.0)
    assert mean_agreement([nothing, MaskAgreement(0.8, 0.5)]) == MaskAgreement(0.8, 0.25)
    assert mean_agreement([]) == MaskAgreement(None, None)

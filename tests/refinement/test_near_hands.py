"""Refining both hands is suggested where the other one is annotated and near."""

import logging

import pytest
import torch

from handrefine.refinement.near_hands import suggest_both

HAND = torch.rand(3, 21, 3, generator=torch.Generator().manual_seed(0)) * 0.1


def test_a_near_hand_is_told_with_its_frames(caplog: pytest.LogCaptureFixture) -> None:
    other = HAND + torch.tensor([[0.15, 0.0, 0.0], [0.5, 0.0, 0.0], [torch.nan] * 3])[:, None]
    with caplog.at_level(logging.WARNING):
        assert suggest_both("right", HAND, other) == 1
    assert "at 1 frames" in caplog.text
    assert "--hand both" in caplog.text


def test_a_far_or_unknown_hand_is_not(caplog: pytest.LogCaptureFixture) -> None:
    assert suggest_both("right", HAND, HAND + 0.5) == 0
    assert suggest_both("right", HAND, torch.full_like(HAND, torch.nan)) == 0
    assert suggest_both("right", HAND, None) == 0
    assert not caplog.records

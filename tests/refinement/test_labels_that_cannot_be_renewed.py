"""A hand that diverged out of all pictures does not end the run in a message about its annotation."""

import logging

import pytest

from handrefine.errors import InputError
from handrefine.refinement.hooks import Stage
from handrefine.refinement.problem import Problem
from handrefine.refinement.schedule import StageConfig
from handrefine.refinement.watchers import RenewLabels


def test_the_labels_stay_and_it_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def left(problem: Problem, cameras: object) -> Problem:
        raise InputError("no camera sees the hand")

    monkeypatch.setattr(Problem, "observed_anew", left)
    stage = object.__new__(Stage)
    config = StageConfig(iterations=1, renew_labels=True)
    values = {"problem": object.__new__(Problem), "name": "coarse", "config": config}
    for name, value in values.items():
        object.__setattr__(stage, name, value)
    with caplog.at_level(logging.WARNING):
        assert RenewLabels().stage_ends(stage) is None
    assert "after stage coarse images are not labelled anew: no camera sees the hand" in caplog.text

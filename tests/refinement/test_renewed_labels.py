"""Images are labelled anew around hands that fit: less is unknown, and more pixels have an owner."""

from pathlib import Path

import pytest
import torch

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.refinement.problem import Problem, prepare
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    """Both hands, half a millimetre off, before a background that is known by masks alone."""
    folder: Path = tmp_path_factory.mktemp("both") / "data"
    settings = SyntheticSettings(n_cameras=3, n_frames=1, size=64, texture_size=64, kind="mismatched", seed=1000)
    synthesize(folder, ("right", "left"), settings, 0.5, Config())
    config = config_from_mapping({"hands": {"end_at_wrist": True}, "texture": {"size": 64}}, where="test")
    return prepare(read_interhand26m(folder), ("right", "left"), config)


def test_hands_are_drawn_up_to_the_wrist(problem: Problem) -> None:
    for hand, drawn in zip(problem.hands, problem.renderer.topologies, strict=True):
        assert 0.8 < len(drawn.faces) / len(hand.topology.faces) < 0.98


def test_renewed_labels_know_more_and_call_no_hand_background(problem: Problem) -> None:
    before, after = problem.observations, problem.observed_anew({}).observations
    assert after.keys == before.keys
    assert before.owner is not None
    assert after.owner is not None
    known = after.silhouette_weight > 0
    assert known.sum() > before.silhouette_weight.sum()
    assert (after.owner >= 0).sum() > (before.owner >= 0).sum()
    with torch.no_grad():
        model = problem.model
        rendered = model.render(problem.renderer, model.geometries(), texture_levels=1, seed=0).coverage
    inside = rendered.sum(dim=1) > 0.99
    assert (after.hand_share[inside & known] > 0.5).float().mean() > 0.98
    for hand in range(2):
        assert (rendered[after.owner == hand, hand] > 0.5).float().mean() > 0.9

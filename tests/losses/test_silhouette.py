"""The silhouette term: coverage is compared hand by hand where labels know whose skin a pixel shows."""

from dataclasses import replace

import pytest
import torch
from made_observations import observations

from handrefine.losses.base import Residuals
from handrefine.losses.norms import absolute
from handrefine.losses.silhouette import owned_coverage
from handrefine.scene.video_model import Prediction


def test_a_hand_that_covers_anothers_skin_is_pulled_off() -> None:
    """A pixel is compared with its owner's coverage alone: the wrong hand does not serve."""
    seen = observations()
    times = seen.views.n_pixels // 4
    by_hand = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]).repeat(times, 1)
    seen = replace(
        seen, owner=torch.tensor([0, 0, -1, -1]).repeat(times), hand_share=torch.ones(seen.views.n_pixels)
    )
    prediction = Prediction((), torch.zeros(seen.views.n_pixels, 3), by_hand.sum(dim=1), by_hand)
    missing = owned_coverage(prediction, seen) - seen.hand_share
    assert missing[:4].tolist() == [0, -1, 0, -1]
    value = Residuals(missing[:, None], absolute, seen.silhouette_weight, seen.silhouette_weight).value()
    assert value.item() == pytest.approx(0.5)
    alone = owned_coverage(prediction, replace(seen, owner=None))
    assert alone[:4].tolist() == [1, 1, 1, 0]

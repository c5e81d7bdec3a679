"""Figures for the log of an optimisation, where the truth is known; the optimisation never sees them."""

from collections.abc import Callable

import torch

from handrefine.evaluation.against_truth import Truth
from handrefine.evaluation.metrics import mean_distance_mm
from handrefine.hand.model import HandGeometry


def error_monitor(truth: Truth) -> Callable[[HandGeometry], dict[str, float]]:
    """The vertex error of every iteration, for eyes only."""
    verts_world = torch.as_tensor(truth.verts_world).float()

    def error(geometry: HandGeometry) -> dict[str, float]:
        distance_mm = mean_distance_mm(geometry.verts_world.detach().cpu(), verts_world)
        return {} if distance_mm is None else {"vertex_error_mm": distance_mm}

    return error

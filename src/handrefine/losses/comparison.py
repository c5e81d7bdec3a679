"""The image that the model predicts, background included, beside what it should be."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.observations import Observations
from handrefine.scene.colour_transforms import luminance
from handrefine.scene.video_model import Prediction


@dataclass(frozen=True, eq=False)
class Comparison:
    """Prediction and target of all views of one batch.

    rgb: the whole predicted image. as_seen: as its camera shows it, grey for grey cameras; target likewise.
    """

    rgb: Float[Tensor, "pixel 3"]
    as_seen: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]


def compare(prediction: Prediction, observations: Observations) -> Comparison:
    """Put the rendered hands before the background; differentiable in the prediction."""
    rgb = prediction.hand_rgb + (1 - prediction.coverage)[:, None] * observations.background
    return Comparison(rgb, as_seen(rgb, observations), as_seen(observations.target, observations))


def as_seen(rgb: Float[Tensor, "pixel 3"], observations: Observations) -> Float[Tensor, "pixel 3"]:
    """Grey cameras see luminance only, here in all three channels."""
    if not bool(observations.grey_pixel.any()):
        return rgb
    return torch.where(observations.grey_pixel[:, None], luminance(rgb)[:, None], rgb)

"""The image that the model predicts, background included, beside what it should be."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.observations import Observations
from handrefine.scene.colour_transforms import luminance
from handrefine.scene.video_model import Prediction

#: Share of hand below which a pixel is beside it.
BESIDE = 0.5


@dataclass(frozen=True, eq=False)
class Comparison:
    """Prediction and target of all views of one batch.

    rgb: the whole predicted image. as_seen: as its camera shows it, grey for grey cameras; target likewise.
        Where the target is but a bound, it is the colour within it that is nearest to `as_seen`: a difference is
        one-sided there, and has no gradient where the prediction is on the right side.
    """

    rgb: Float[Tensor, "pixel 3"]
    as_seen: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]


def compare(prediction: Prediction, observations: Observations, *, protect_texture: bool) -> Comparison:
    """Put the rendered hands before the background; differentiable in the prediction.

    protect_texture: where labels say that a pixel is not the hand's, before a known background, the gradient moves
        the contour alone: else the texture would be painted like what stands beside the hand, to hide a contour
        that is wrong.
    """
    hand_rgb, coverage = prediction.hand_rgb, prediction.coverage[:, None]
    if protect_texture:
        beside = beside_hand(observations)[:, None]
        colour = hand_rgb.detach() / coverage.detach().clamp(min=1e-3)
        hand_rgb = torch.where(beside, coverage * colour, hand_rgb)
    rgb = hand_rgb + (1 - coverage) * observations.background
    seen = as_seen(rgb, observations)
    return Comparison(rgb, seen, _nearest_permitted(seen, observations))


def _nearest_permitted(seen: Float[Tensor, "pixel 3"], observations: Observations) -> Float[Tensor, "pixel 3"]:
    target, clipped = as_seen(observations.target, observations), observations.clipped
    if clipped is None:
        return target
    beyond = ((clipped > 0) & (seen > target)) | ((clipped < 0) & (seen < target))
    return torch.where(beyond, seen, target)


def beside_hand(observations: Observations) -> Bool[Tensor, " pixel"]:
    """Pixels that are certainly not the hand's, before a known background."""
    known = (observations.silhouette_weight > 0) & observations.background_known
    return known & (observations.hand_share < BESIDE)


def as_seen(rgb: Float[Tensor, "pixel 3"], observations: Observations) -> Float[Tensor, "pixel 3"]:
    """Grey cameras see luminance only, here in all three channels."""
    if not bool(observations.grey_pixel.any()):
        return rgb
    return torch.where(observations.grey_pixel[:, None], luminance(rgb)[:, None], rgb)

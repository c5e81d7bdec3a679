"""The objective of one iteration: data, silhouette, edge and prior terms, weighted."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.appearance.colour import luminance
from handrefine.config import ObjectiveConfig
from handrefine.objective.edges import edge_weights
from handrefine.objective.photometric import mean_residual, residual_norm
from handrefine.objective.silhouette import silhouette_loss
from handrefine.objective.temporal import temporal_prior
from handrefine.refine.model import Prediction
from handrefine.refine.observations import Observations


class Energy:
    """`L = lambda_data L_data + lambda_silhouette L_sil + lambda_edge L_edge + lambda_prior L_prior`.

    Eq. 1 of the paper has the first and the last; the edge term is its section 3.4, and the silhouette term is
    ours: it compares coverage with what labels say of each pixel, where they say anything.

    Args:
        frames: the dataset's frame numbers of the refined instants: the prior's clock.
    """

    def __init__(self, config: ObjectiveConfig, observations: Observations, frames: Sequence[int]) -> None:
        self.config = config
        self.observations = observations
        self.frames = frames
        self._has_silhouette = bool(observations.silhouette_weight.any())
        self._has_grey = bool(observations.grey_pixel.any())
        self._target = self._as_seen(observations.target)
        self._images = observations.views.split(observations.target)

    def __call__(self, prediction: Prediction, articulation_aa: Float[Tensor, "frame 45"]) -> dict[str, Tensor]:
        """Every term, weighted; they add up to the loss."""
        config, seen = self.config, self.observations
        picture = prediction.hand_rgb + (1 - prediction.coverage)[:, None] * seen.background
        residual = residual_norm(
            self._as_seen(picture), self._target, config.residual, huber_delta=config.huber_delta
        )
        mean = partial(mean_residual, coverage=prediction.coverage, background_known=seen.background_known)
        terms = {"data": mean(residual, seen.colour_weight)}
        if config.lambda_silhouette > 0 and self._has_silhouette:
            terms["silhouette"] = silhouette_loss(prediction.coverage, seen.hand_share, seen.silhouette_weight)
        if config.lambda_edge > 0:
            on_edge = edge_weights(seen.views.split(picture.detach()), self._images)
            terms["edge"] = mean(residual, seen.colour_weight * on_edge)
        if config.lambda_prior > 0 and len(articulation_aa) > 1:
            terms["prior"] = temporal_prior(
                articulation_aa,
                self.frames,
                window=config.prior_window,
                sigma=config.prior_sigma,
                a=config.prior_a,
            )
        return {name: getattr(config, f"lambda_{name}") * term for name, term in terms.items()}

    def _as_seen(self, rgb: Float[Tensor, "pixel 3"]) -> Float[Tensor, "pixel 3"]:
        """Grey cameras see luminance only, here in all three channels."""
        if not self._has_grey:
            return rgb
        return torch.where(self.observations.grey_pixel[:, None], luminance(rgb)[:, None], rgb)

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
        frames: the dataset's frame numbers of the refined instants of every hand: the prior's clock.
    """

    def __init__(
        self, config: ObjectiveConfig, observations: Observations, frames: Sequence[Sequence[int]]
    ) -> None:
        self.config = config
        self.observations = observations
        self.frames = frames
        self._has_silhouette = bool(observations.silhouette_weight.any())
        self._has_grey = bool(observations.grey_pixel.any())
        self._target = self._as_seen(observations.target)
        self._images = observations.views.split(observations.target)

    def __call__(
        self, prediction: Prediction, articulations_aa: Sequence[Float[Tensor, "_ 45"]]
    ) -> dict[str, Tensor]:
        """Every term, weighted; they add up to the loss. articulations_aa: of every hand."""
        config, seen = self.config, self.observations
        picture = prediction.hand_rgb + (1 - prediction.coverage)[:, None] * seen.background
        residual = residual_norm(
            self._as_seen(picture), self._target, config.residual, huber_delta=config.huber_delta
        )
        mean = partial(mean_residual, coverage=prediction.coverage, background_known=seen.background_known)
        terms = {"data": mean(residual, seen.colour_weight)}
        if config.lambda_silhouette > 0 and self._has_silhouette:
            terms["silhouette"] = silhouette_loss(
                self._silhouette(prediction), seen.hand_share, seen.silhouette_weight
            )
        if config.lambda_edge > 0:
            on_edge = edge_weights(seen.views.split(picture.detach()), self._images)
            terms["edge"] = mean(residual, seen.colour_weight * on_edge)
        if config.lambda_prior > 0 and any(len(frames) > 1 for frames in self.frames):
            terms["prior"] = self._prior(articulations_aa)
        return {name: getattr(config, f"lambda_{name}") * term for name, term in terms.items()}

    def _silhouette(self, prediction: Prediction) -> Float[Tensor, " pixel"]:
        """What labels speak of: the coverage of the hand that owns a pixel, or of both where none is known to."""
        owner = self.observations.owner
        if owner is None:
            return prediction.coverage
        of_owner = prediction.by_hand.gather(1, owner.clamp(min=0)[:, None])[:, 0]
        return torch.where(owner >= 0, of_owner, prediction.coverage)

    def _prior(self, articulations_aa: Sequence[Float[Tensor, "_ 45"]]) -> Float[Tensor, ""]:
        """The mean over the hands that move."""
        config = self.config
        priors = [
            temporal_prior(
                articulation_aa, frames, window=config.prior_window, sigma=config.prior_sigma, a=config.prior_a
            )
            for articulation_aa, frames in zip(articulations_aa, self.frames, strict=True)
            if len(frames) > 1
        ]
        return torch.stack(priors).mean()

    def _as_seen(self, rgb: Float[Tensor, "pixel 3"]) -> Float[Tensor, "pixel 3"]:
        """Grey cameras see luminance only, here in all three channels."""
        if not self._has_grey:
            return rgb
        return torch.where(self.observations.grey_pixel[:, None], luminance(rgb)[:, None], rgb)

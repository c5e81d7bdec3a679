"""The objective of one iteration: data, silhouette, edge and prior terms, weighted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.config import ObjectiveConfig
from handrefine.losses.data import counted_pixels, mean_residual, residual_norm
from handrefine.losses.edge import pixels_on_edges
from handrefine.losses.local_contrast import LocalContrast
from handrefine.losses.silhouette import silhouette_loss
from handrefine.losses.temporal import temporal_prior
from handrefine.observations import Observations
from handrefine.scene.colour_transforms import luminance
from handrefine.scene.video_model import Prediction


@dataclass(frozen=True, eq=False)
class Compared:
    """The picture that the model predicts, background included, and what it should be; grey for grey cameras."""

    picture: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]


@runtime_checkable  # so that shape checks while testing can handle it
class CameraWeighting(Protocol):
    """Weights of the cameras in the order that `Observations.camera_of_pixel` counts."""

    colour: Float[Tensor, " camera"]
    silhouette: Float[Tensor, " camera"]


class Energy:
    """`L = lambda_data L_data + lambda_silhouette L_sil + lambda_edge L_edge + lambda_prior L_prior`.

    Eq. 1 of the paper has the first and the last; the edge term is its section 3.4, and the silhouette term is
    ours: it compares coverage with what labels say of each pixel, where they say anything.

    Args:
        frames: the dataset's numbers of the refined frames of every hand: the prior's clock.
        cameras: the cameras' weights at every call, by which the weights of their pixels are multiplied.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        observations: Observations,
        frames: Sequence[Sequence[int]],
        cameras: CameraWeighting,
    ) -> None:
        self.cameras = cameras
        self.config = config
        self.observations = observations
        self.frames = frames
        self._has_silhouette = bool(observations.silhouette_weight.any())
        self._has_grey = bool(observations.grey_pixel.any())
        self._target = self._as_seen(observations.target)
        self._contrast = None
        if config.lambda_edge > 0:
            self._edges_of_images = pixels_on_edges(observations.views.split(observations.target))
            if config.edge_contrast_px > 0:
                cameras_of_views = [view.camera for view in observations.views.views]
                sizes = [(camera.height, camera.width) for camera in cameras_of_views]
                self._contrast = LocalContrast(sizes, observations.colour_weight, config.edge_contrast_px)
                self._target_contrast = self._contrast(self._target)

    def __call__(
        self, prediction: Prediction, articulations_aa: Sequence[Float[Tensor, "_ 45"]]
    ) -> dict[str, Tensor]:
        """Every term, weighted; they add up to the loss. articulations_aa: of every hand."""
        config, seen = self.config, self.observations
        picture = self._picture(prediction)
        as_seen = self._as_seen(picture)
        residual, colour_weight = self._norm(as_seen, self._target), self._colour_weight()
        mean = partial(mean_residual, coverage=prediction.coverage, background_known=seen.background_known)
        terms = {"data": mean(residual, colour_weight)}
        if config.lambda_silhouette > 0 and self._has_silhouette:
            terms["silhouette"] = silhouette_loss(
                self._silhouette(prediction), seen.hand_share, self._silhouette_weight()
            )
        if config.lambda_edge > 0:
            on_edge = self._edges_of_images | pixels_on_edges(seen.views.split(picture.detach()))
            if self._contrast is not None:
                residual = self._norm(self._contrast(as_seen), self._target_contrast)
            terms["edge"] = mean(residual, colour_weight * on_edge)
        if config.lambda_prior > 0 and any(len(frames) > 1 for frames in self.frames):
            terms["prior"] = self._prior(articulations_aa)
        return {name: getattr(config, f"lambda_{name}") * term for name, term in terms.items()}

    def by_frame(self, prediction: Prediction, n_frames: int) -> Float[Tensor, " frame"]:
        """Data and silhouette terms of every frame of the video by itself, weighted and added."""
        config, seen = self.config, self.observations
        frame = torch.tensor([frame for frame, _ in seen.keys], device=seen.image.device)
        frame = frame[seen.views.view_of_pixel(seen.image.device)]

        def quotient(part: Tensor, whole: Tensor) -> Tensor:
            sums = (torch.bincount(frame, x.double(), minlength=n_frames) for x in (part, whole))
            return next(sums) / next(sums).clamp(min=1e-6)

        compared, weight = self.compared(prediction), self._colour_weight()
        residual = self._norm(compared.picture, compared.target)
        counted = torch.where(seen.background_known, weight, weight * prediction.coverage)
        misfit = config.lambda_data * quotient(residual * weight, counted)
        if config.lambda_silhouette > 0 and self._has_silhouette:
            known = self._silhouette_weight()
            wrong = (self._silhouette(prediction) - seen.hand_share).abs() * known
            misfit = misfit + config.lambda_silhouette * quotient(wrong, known)
        return misfit

    def compared(self, prediction: Prediction) -> Compared:
        return Compared(self._as_seen(self._picture(prediction)), self._target)

    def counted_pixels(self, prediction: Prediction) -> Float[Tensor, ""]:
        """How many pixels the data term averages over."""
        seen = self.observations
        return counted_pixels(self._colour_weight(), prediction.coverage.detach(), seen.background_known)

    def _norm(
        self, rendered: Float[Tensor, "pixel 3"], target: Float[Tensor, "pixel 3"]
    ) -> Float[Tensor, " pixel"]:
        return residual_norm(rendered, target, self.config.residual, huber_delta=self.config.huber_delta)

    def _colour_weight(self) -> Float[Tensor, " pixel"]:
        seen = self.observations
        return seen.colour_weight * self.cameras.colour[seen.camera_of_pixel]

    def _silhouette_weight(self) -> Float[Tensor, " pixel"]:
        seen = self.observations
        return seen.silhouette_weight * self.cameras.silhouette[seen.camera_of_pixel]

    def _picture(self, prediction: Prediction) -> Float[Tensor, "pixel 3"]:
        return prediction.hand_rgb + (1 - prediction.coverage)[:, None] * self.observations.background

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
                articulation_aa,
                frames,
                window=config.prior_window,
                sigma=config.prior_sigma,
                a=config.prior_a,
                order=config.prior_order,
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

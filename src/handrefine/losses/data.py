"""The data term: how far the rendered colours are from the images (Eq. 3 of the paper)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.losses.base import OF_IMAGES, Iterate, Residuals, Setup
from handrefine.losses.norms import PixelNorm
from handrefine.observations import Observations


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DataConfig:
    """Colours of render and image (Eq. 3)."""

    weight: NonNegativeFloat = 1.0
    """Weight in the objective."""

    def build(self, setup: Setup) -> "DataTerm":
        return DataTerm(setup.observations, setup.pixel_norm)


@dataclass(frozen=True, eq=False)
class DataTerm:
    """`sum w |render - image| / sum w`: the mean residual over the pixels that are compared.

    The paper sums over pixels; a mean keeps the balance with the other terms independent of resolution and views.
    A pixel in front of an unknown background counts in the lower sum by its coverage. The background behind it is
    the image itself (see `LabelImage`), so that its residual is proportional to coverage already; a sum would then
    reward a hand for shrinking, and the quotient does not. 0 where nothing counts.
    """

    observations: Observations
    norm: PixelNorm
    reads = OF_IMAGES
    judges_frames = True

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """One block, a residual a pixel; differentiable in colours, and in coverage through the lower sum."""
        seen, comparison = self.observations, iterate.comparison
        weight = colour_weight(seen, iterate)
        return [
            Residuals(
                comparison.as_seen - comparison.target,
                self.norm,
                weight,
                counted(weight, iterate.prediction.coverage, seen.background_known),
                frame_index=frame_of_pixel(seen),
            )
        ]


def colour_weight(observations: Observations, iterate: Iterate) -> Float[Tensor, " pixel"]:
    """1 where colours are compared, times how far the pixel's camera is believed."""
    return observations.colour_weight * iterate.cameras.colour[observations.camera_of_pixel]


def counted(
    weight: Float[Tensor, " pixel"], coverage: Float[Tensor, " pixel"], background_known: Bool[Tensor, " pixel"]
) -> Float[Tensor, " pixel"]:
    """What each pixel adds to the lower sum of a photometric mean."""
    return torch.where(background_known, weight, weight * coverage)


def frame_of_pixel(observations: Observations) -> Tensor:
    """The frame of the video that each pixel shows."""
    device = observations.image.device
    frame_of_view = torch.tensor([frame for frame, _ in observations.keys], device=device)
    return frame_of_view[observations.views.view_of_pixel(device)]

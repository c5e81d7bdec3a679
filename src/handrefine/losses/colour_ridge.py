"""Colour transforms that few pixels decide stay at the identity."""

from dataclasses import dataclass

import torch
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.data import colour_weight, counted
from handrefine.losses.norms import Squared
from handrefine.observations import Observations

#: Size of a transform's entries beside the identity at which the ridge pulls like a pixel of residual.
USUAL_DEVIATION = 0.1
#: Cameras differ by so much more in their exposure's logarithm than in an entry of their transform.
EXPOSURE_RATIO = 2.0


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ColourRidgeConfig:
    """Colour transforms are held at the identity."""

    weight: NonNegativeFloat = 1.0
    """Weight in the objective."""
    pixels: NonNegativeFloat = 100.0
    """As firmly as so many of the hand's pixels would."""

    def build(self, setup: Setup) -> "ColourRidgeTerm | None":
        return ColourRidgeTerm(setup.observations, self.pixels) if self.pixels > 0 else None


@dataclass(frozen=True, eq=False)
class ColourRidgeTerm:
    """`sum over cameras of (n0 / N) |d_c|^2 / s`: transforms that few pixels decide stay at the identity.

    d are the deviations of `[M | b]` from the identity and half the log exposure, n0 is `pixels`, N the
    number of pixels that the data term averages over, and s = 0.1 a usual size of a transform's entries. In the
    mean over N pixels a camera that shows n of them pulls with n / N of its residual, so that this is worth n0
    pixels whatever the resolution: nothing to a camera with many more, everything to one with many fewer. It falls
    on the transforms after the gauge, so that the mean over the cameras stays the identity.
    """

    observations: Observations
    pixels: float
    reads = ("colour", "exposure")
    judges_frames = False

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """One block, a residual a camera."""
        seen = self.observations
        coverage = iterate.prediction.coverage.detach()
        n_pixels = counted(colour_weight(seen, iterate), coverage, seen.background_known).sum().clamp(min=1.0)
        transform, log_exposure = iterate.model.colour.deviations().split([12, 1], dim=1)
        deviation = torch.cat([transform, log_exposure / EXPOSURE_RATIO], dim=1)
        return [Residuals(deviation, Squared(USUAL_DEVIATION), count=n_pixels, scale=self.pixels)]

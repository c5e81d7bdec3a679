"""The silhouette term: the render covers what is hand and nothing that is not."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.losses.base import OF_SILHOUETTES, Iterate, Residuals, Setup
from handrefine.losses.data import frame_of_pixel
from handrefine.losses.norms import absolute
from handrefine.losses.view_stack import ViewStack
from handrefine.observations import Observations
from handrefine.scene.video_model import Prediction


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SilhouetteConfig:
    """Coverage against the labels hand / not hand (ours)."""

    weight: NonNegativeFloat = 1.0
    """Weight in the objective."""

    def build(self, setup: Setup) -> "SilhouetteTerm | None":
        seen = setup.observations
        if not bool(seen.silhouette_weight.any()):
            return None
        sizes = [(view.camera.height, view.camera.width) for view in seen.views.views]
        stack = ViewStack(sizes, seen.image.device) if setup.blur_px > 0 else None
        return SilhouetteTerm(seen, stack, setup.blur_px)


@dataclass(frozen=True, eq=False)
class SilhouetteTerm:
    """Mean of `|coverage - hand_share|` over the pixels of which labels say something.

    Up to a factor it is the area by which two silhouettes differ, so every contour pixel pulls with the same force
    however far the contour is from its place. Differentiable in coverage.

    Blurred by a Gaussian, the difference also tells how far: contours within its reach count by their distance,
    and those of thin shapes that have missed each other feel one another.
    """

    observations: Observations
    stack: ViewStack | None = None
    blur_px: float = 0.0
    reads = OF_SILHOUETTES
    judges_frames = True

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        seen = self.observations
        weight = seen.silhouette_weight * iterate.cameras.silhouette[seen.camera_of_pixel]
        difference = (owned_coverage(iterate.prediction, seen) - seen.hand_share)[:, None]
        if self.stack is not None:
            difference = self.stack.blurred(difference * seen.silhouette_weight[:, None], self.blur_px)
        return [Residuals(difference, absolute, weight, weight, frame_index=frame_of_pixel(seen))]


def owned_coverage(prediction: Prediction, observations: Observations) -> Float[Tensor, " pixel"]:
    """What labels speak of: the coverage of the hand that owns a pixel, or of all where none is known to."""
    owner = observations.owner
    if owner is None:
        return prediction.coverage
    of_owner = prediction.by_hand.gather(1, owner.clamp(min=0)[:, None])[:, 0]
    return torch.where(owner >= 0, of_owner, prediction.coverage)

"""What a term of the objective takes and gives: residuals with weights, from which its scalar follows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrefine.hand.model import HandModel
from handrefine.losses.comparison import Comparison
from handrefine.losses.norms import Norm, PixelNorm
from handrefine.observations import Observations
from handrefine.scene.variables import CONTOUR_NAMES, VARIABLES
from handrefine.scene.video_model import Prediction, VideoModel
from handrefine.sequence import Detections, FrameId

#: Variables that a rendered and colour-transformed image depends on.
OF_IMAGES = tuple(v.name for v in VARIABLES)
OF_SILHOUETTES = CONTOUR_NAMES


@dataclass(frozen=True, eq=False)
class Residuals:
    """A block of residuals; `value = scale * sum_i w_i rho(r_i) / max(sum_i n_i, 1e-6)`.

    A second-order optimizer reads r, rho and w, a first-order one the value: both see one objective.

    Attributes:
        difference: r, before any norm; a row a residual.
        norm: rho, from the rows to one number each.
        weight: w; 1 where missing.
        count: n of every residual, or the whole lower sum.
        frame_index: the frame of the video that each residual belongs to, for terms that judge frames.
    """

    difference: Float[Tensor, "residual channel"]
    norm: Norm
    weight: Float[Tensor, " residual"] | None = None
    count: Float[Tensor, "*residual"] | float = 1.0
    scale: float = 1.0
    frame_index: Int[Tensor, " residual"] | None = None

    def value(self) -> Float[Tensor, ""]:
        """The scalar; differentiable in `difference` and `count`."""
        total = self._weighted().sum()
        if self.scale != 1:
            total = self.scale * total
        return total / (self.count.sum().clamp(min=1e-6) if isinstance(self.count, Tensor) else self.count)

    def by_frame(self, n_frames: int) -> Float[Tensor, " frame"]:
        """The value of every frame by itself, in double precision; not differentiable.

        Raises:
            ValueError: the block tells no frames, or no count of every residual.
        """
        if self.frame_index is None or not isinstance(self.count, Tensor):
            raise ValueError("these residuals do not belong to frames")
        sums = [
            torch.bincount(self.frame_index, values.detach().double(), minlength=n_frames)
            for values in (self._weighted(), self.count)
        ]
        return self.scale * sums[0] / sums[1].clamp(min=1e-6)

    def _weighted(self) -> Float[Tensor, " residual"]:
        values = self.norm(self.difference)
        return values if self.weight is None else values * self.weight


@runtime_checkable  # so that shape checks while testing can handle it
class CameraWeighting(Protocol):
    """Weights of the cameras in the order that `Observations.camera_of_pixel` counts."""

    colour: Float[Tensor, " camera"]
    silhouette: Float[Tensor, " camera"]


@dataclass(frozen=True, eq=False)
class Setup:
    """What a term may look at once, before the first iteration.

    observations: of the views that the term's objective compares.
    frames: the dataset's frame numbers of every hand's own frames: the temporal term's clock.
    still_joints_world: joints of a hand that is there without being refined; NaN where it is not known.
    pixel_norm: the norm that all photometric terms share.
    blur_px: silhouettes are compared blurred by so much.
    detections: of every hand, where a detector has found it; empty where nobody has looked.
    """

    observations: Observations
    hands: tuple[HandModel, ...]
    frames: tuple[tuple[FrameId, ...], ...]
    still_joints_world: Float[Tensor, "frame 21 3"] | None
    pixel_norm: PixelNorm
    blur_px: float = 0.0
    detections: tuple[Detections, ...] = ()


@dataclass(frozen=True, eq=False)
class Iterate:
    """What a term may look at in one iteration.

    occluded: of every hand at its own frames, how little the cameras see of what each finger joint moves.
    """

    model: VideoModel
    prediction: Prediction
    comparison: Comparison
    cameras: CameraWeighting
    occluded: Sequence[Float[Tensor, "_ 15"]] = field(default=())


@runtime_checkable
class LossTerm(Protocol):
    """One term of the objective, of one batch of views.

    Attributes:
        reads: names of the variables that the residuals depend on.
        judges_frames: the term tells how well each frame is explained, so that a restart may compare.
    """

    reads: tuple[str, ...]
    judges_frames: bool

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """The blocks whose values add up to the unweighted term; none where it has nothing to say."""
        ...


@runtime_checkable
class TermConfig(Protocol):
    """A term's settings: its weight, and how to set it up."""

    @property
    def weight(self) -> float:
        """Of the term's scalar in the objective."""
        ...

    def build(self, setup: Setup) -> LossTerm | None:
        """The term for these observations; None where it never has anything to say there."""
        ...

"""The person's surface stays near the hand model's."""

from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat
from pydantic import dataclasses as typed

from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.losses.norms import Squared


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class UsualSurfaceConfig:
    """A Gaussian over personal surfaces."""

    weight: NonNegativeFloat = 1e-3
    """Weight in the objective."""
    deviation_mm: PositiveFloat = 0.25
    """Usual size of a smooth mode; finer modes are held tighter."""

    def build(self, setup: Setup) -> "UsualSurfaceTerm":
        del setup
        return UsualSurfaceTerm(self.deviation_mm / 1000)


class UsualSurfaceTerm:
    """`mean over hands and modes of s_k (c_k / deviation)^2`, s the modes' stiffness."""

    reads = ("surface",)
    judges_frames = False

    def __init__(self, deviation_m: float) -> None:
        self._deviation_m = deviation_m

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block a hand, a residual a mode; none without a surface."""
        surfaces = [hand.surface for hand in iterate.model.hands if hand.surface is not None]
        blocks = []
        for surface in surfaces:
            relative = surface.coefficients[:, None] / self._deviation_m
            count = float(len(relative) * len(surfaces))
            blocks.append(Residuals(relative, Squared(), surface.stiffness, count))
        return blocks

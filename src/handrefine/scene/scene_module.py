"""A further unknown of a video: owns one variable's parameters and changes what is predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from handrefine.hand.model import HandGeometry
from handrefine.observations import Observations


@dataclass(frozen=True, eq=False)
class RenderedViews:
    """All views' pixels: the hands' linear RGB over black, and the share of every pixel that each hand covers."""

    hand_rgb: Float[Tensor, "pixel 3"]
    by_hand: Float[Tensor, "pixel hand"]


class SceneModule(nn.Module):
    """Base of unknowns beside pose, shape, texture and light.

    A subclass names its variable, holds its parameters, and overrides the hooks that it needs.
    """

    #: Name of the variable, by which stages choose it.
    variable: str
    #: Adam's rate where `VARIABLES` has no such variable.
    learning_rate: float | None = None

    def deform(self, geometries: tuple[HandGeometry, ...]) -> tuple[HandGeometry, ...]:
        """The hands' surfaces, each at its own frames, before they are rendered; differentiable."""
        return geometries

    def adjust(self, views: RenderedViews, observations: Observations) -> RenderedViews:
        """The rendered views as the cameras show them; differentiable."""
        del observations
        return views


def adjusted(modules: Sequence[SceneModule], views: RenderedViews, observations: Observations) -> RenderedViews:
    """The views after all modules, one after the other."""
    for module in modules:
        views = module.adjust(views, observations)
    return views

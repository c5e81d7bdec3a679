"""The environment's light as a few spherical harmonics."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, PositiveInt
from pydantic import dataclasses as typed
from torch import Tensor, nn

from handrefine.errors import InputError
from handrefine.scene.clamping import returning_clamp
from handrefine.spherical import coefficient_count, latlong_directions, sh_basis

MAX_ORDER = 4


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LightConfig:
    """The light from infinity."""

    order: Literal[0, 1, 2, 3, 4] = 1
    """Highest band of spherical harmonics; 1 gives the paper's 12 coefficients."""
    map_height: PositiveInt = 32
    """Rows of the environment map into which the light is baked (twice as many columns)."""


class SphericalLight(nn.Module):
    """Distant light, `L(w) = max(0, sum_i c_i Y_i(w))`, with RGB coefficients of the bands 0 ... order (3.4.2).

    A convex diffuse surface of albedo rho under constant radiance L shines with rho L in every direction. The
    default start, L = 0.5, therefore shows a hand of albedo 0.5 at 0.25, sRGB's mid level.

    Args:
        order: highest band, 0 to 4; 1 gives the paper's 12 numbers.
        ambient: constant radiance at the start.
    """

    coefficients: Float[Tensor, "coefficient 3"]

    def __init__(self, order: int, *, ambient: float = 0.5) -> None:
        super().__init__()
        if not 0 <= order <= MAX_ORDER:
            raise InputError(
                "no such order of spherical harmonics", where="light.order", expected="0 to 4", found=order
            )
        if ambient <= 0:
            raise InputError("ambient light must be positive", where="light.ambient", found=ambient)
        self.order = order
        initial = torch.zeros(coefficient_count(order), 3)
        initial[0] = ambient / sh_basis(torch.tensor([0.0, 0.0, 1.0]), 0)
        self.coefficients = nn.Parameter(initial)

    def bake(self, height: int) -> Float[Tensor, "height width 3"]:
        """Radiance of every texel of an environment map of height x 2 height, in `handrefine.spherical`'s layout.

        Never negative. Differentiable in the coefficients; a texel at which the harmonics are negative passes only
        gradients that ask for more light (`returning_clamp`), so that no direction goes dark for good.
        """
        device = self.coefficients.device
        basis = sh_basis(latlong_directions(height, 2 * height, device), self.order)
        return returning_clamp(basis.to(self.coefficients.dtype) @ self.coefficients, 0.0)

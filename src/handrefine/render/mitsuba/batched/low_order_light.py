"""The part of the light that integrates over a hemisphere in closed form."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.spherical import latlong_directions, latlong_solid_angles, sh_basis

#: Highest band of spherical harmonics.
ORDER = 2


@lru_cache(maxsize=8)
def _projection(height: int, width: int, device: torch.device) -> Float[Tensor, "coefficient texel"]:
    directions = latlong_directions(height, width, device)
    weights = latlong_solid_angles(height, width, device)
    return (sh_basis(directions, ORDER) * weights[..., None]).reshape(height * width, -1).T.contiguous()


def low_order(environment: Float[Tensor, "h w 3"]) -> Float[Tensor, "coefficient 3"]:
    """The map's spherical harmonics coefficients up to order 2; linear, hence differentiable.

    Any coefficients leave the image unbiased (they only carry a control variate): good ones lower its noise.
    """
    height, width, _ = environment.shape
    return _projection(height, width, environment.device) @ environment.reshape(-1, 3)

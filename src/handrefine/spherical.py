"""Functions on the sphere: the latitude-longitude map and real spherical harmonics.

A map texel (row r, column c) of an h x w environment map looks in the direction
`(sin th sin ph, cos th, -sin th cos ph)` with `th = pi (r + 1/2) / h`, `ph = 2 pi (c + 1/2) / w`:
Redner's own convention. Mitsuba agrees in the columns but puts its first and last row on the poles, so a renderer
on its `envmap` resamples the rows.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def latlong_directions(height: int, width: int, device: torch.device | None = None) -> Float[Tensor, "h w 3"]:
    """Unit world directions of the centres of an environment map's texels."""
    theta = (torch.arange(height, device=device) + 0.5) * (math.pi / height)
    phi = (torch.arange(width, device=device) + 0.5) * (2 * math.pi / width)
    sin_theta, cos_theta = theta.sin()[:, None], theta.cos()[:, None].expand(height, width)
    return torch.stack([sin_theta * phi.sin(), cos_theta, -sin_theta * phi.cos()], dim=-1)


def latlong_solid_angles(height: int, width: int, device: torch.device | None = None) -> Float[Tensor, "h w"]:
    """Solid angle of every texel in steradians; they add up to 4 pi."""
    edges = torch.arange(height + 1, device=device) * (math.pi / height)
    band = edges[:-1].cos() - edges[1:].cos()
    return (band * (2 * math.pi / width))[:, None].expand(height, width)


def coefficient_count(order: int) -> int:
    """Number of spherical harmonics up to and including band `order`."""
    return (order + 1) ** 2


def sh_basis(directions: Float[Tensor, "*batch 3"], order: int) -> Float[Tensor, "*batch coefficient"]:
    """Real orthonormal spherical harmonics of bands 0 ... order, polar axis z, Condon-Shortley sign
    (the same functions as `drjit.sh_eval`).

    Order of the functions: l^2 + l + m for m = -l ... l. Source: Sloan, "Stupid Spherical Harmonics Tricks",
    appendix A2, in Cartesian form. Directions must have unit length; orders 0 to 4.
    """
    if not 0 <= order <= 4:
        raise ValueError(f"spherical harmonics exist here for orders 0 to 4, not {order}")
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    one = torch.ones_like(x)
    bands = [
        [0.28209479177387814 * one],
        [0.4886025119029199 * y, 0.4886025119029199 * z, 0.4886025119029199 * x],
        [
            1.0925484305920792 * x * y,
            1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * zz - 1),
            1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
        ],
        [
            0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            0.4570457994644658 * y * (5 * zz - 1),
            0.3731763325901154 * z * (5 * zz - 3),
            0.4570457994644658 * x * (5 * zz - 1),
            1.445305721320277 * z * (xx - yy),
            0.5900435899266435 * x * (xx - 3 * yy),
        ],
        [
            2.5033429417967046 * x * y * (xx - yy),
            1.7701307697799304 * y * z * (3 * xx - yy),
            0.9461746957575601 * x * y * (7 * zz - 1),
            0.6690465435572892 * y * z * (7 * zz - 3),
            0.10578554691520431 * (35 * zz * zz - 30 * zz + 3),
            0.6690465435572892 * x * z * (7 * zz - 3),
            0.47308734787878004 * (xx - yy) * (7 * zz - 1),
            1.7701307697799304 * x * z * (xx - 3 * yy),
            0.6258357354491761 * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
        ],
    ]
    functions = [
        (-1) ** m * function
        for degree, band in enumerate(bands[: order + 1])
        for m, function in zip(range(-degree, degree + 1), band, strict=True)
    ]
    return torch.stack(functions, dim=-1)


def radiance_map(coefficients: Float[Tensor, "coefficient 3"], height: int) -> Float[Tensor, "h w 3"]:
    """The light `max(0, sum_i c_i Y_i)` at the texels of an environment map of height x 2 height, in float32.

    Not differentiable where it is clipped; `scene.light` has a clamp that is.
    """
    order = math.isqrt(len(coefficients)) - 1
    return (sh_basis(latlong_directions(height, 2 * height), order) @ coefficients.float()).clamp(min=0)

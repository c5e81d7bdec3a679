"""Light and the cameras' colours by linear least squares, given the pose and the texture."""

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.optimizers.seen_skin import SeenSkin, robust
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.spherical import sh_basis

#: Irradiance of a Lambertian receiver a band of radiance, over pi (Ramamoorthi and Hanrahan 2001, eq. 8).
COSINE_LOBE = (1.0, 2.0 / 3.0, 1.0 / 4.0, 0.0, -1.0 / 24.0)
#: Shading below which a ratio of shadings says nothing.
LEAST_SHADING = 0.02
#: Weight of the light as it is, as a share of the mean curvature.
RIDGE = 1e-3
#: Smallest and largest exposure of a camera beside the others'.
GAINS = (1 / 20, 20)


@torch.no_grad()
def fit_light(light: SphericalLight, skin: SeenSkin, wanted: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """One reweighted least-squares step of the coefficients, in place; by how much the shading changes.

    Unoccluded irradiance is linear in them, `E(n) / pi = sum_i a_i c_i Y_i(n)`; what the render adds by shadows
    and interreflections is taken to scale with it, so that a pixel changes by `shown / (E / pi) * a Y(n)`.
    """
    bands = [COSINE_LOBE[degree] for degree in range(light.order + 1) for _ in range(2 * degree + 1)]
    basis = sh_basis(skin.points.normal, light.order) * skin.shown.new_tensor(bands)
    shading = (basis @ light.coefficients).clamp(min=LEAST_SHADING)
    residual = wanted - skin.shown
    for channel in range(3):
        rows = (skin.shown[:, channel] / shading[:, channel])[:, None] * basis
        weighted = rows * (skin.weight * robust(residual[:, channel]))[:, None]
        normal = (weighted.T @ rows).double()
        normal += torch.eye(len(normal), dtype=normal.dtype, device=normal.device) * (
            RIDGE * normal.diagonal().mean() + 1e-12
        )
        right = (weighted.T @ residual[:, channel, None]).double()
        light.coefficients[:, channel] += torch.linalg.solve(normal, right)[:, 0].to(light.coefficients.dtype)
    return (basis @ light.coefficients).clamp(min=LEAST_SHADING) / shading


@torch.no_grad()
def fit_colours(colour: ColourTransforms, skin: SeenSkin, shown: Float[Tensor, "point 3"], ridge: float) -> None:
    """Every camera's affine transform by ridge regression towards the identity, in place; its exposure stays.

    ridge: weight of a squared entry beside the sum over pixels of the squared residual.
    """
    n = len(colour.free)
    if n < 2:
        return
    gain = colour.deviations()[:, 12].exp()[skin.camera, None]
    x = gain * torch.cat([shown, torch.ones_like(shown[:, :1])], dim=1)
    both = torch.cat([x, skin.image - gain * shown], dim=1)
    products = (both[:, :, None] * (x * _weights(colour, skin, shown)[:, None])[:, None]).flatten(1)
    moments = products.new_zeros(n, 28).index_add_(0, skin.camera, products).double().unflatten(1, (7, 4))
    eye = torch.eye(4, dtype=moments.dtype, device=moments.device)
    found = torch.linalg.solve(moments[:, :4] + ridge * eye, moments[:, 4:].mT).mT
    colour.free.copy_(found - found.mean(dim=0, keepdim=True))


@torch.no_grad()
def fit_exposures(colour: ColourTransforms, skin: SeenSkin, shown: Float[Tensor, "point 3"], ridge: float) -> None:
    """Every camera's exposure by ridge regression towards 1, in place; the rest of its transform stays.

    ridge: as for `fit_colours`, of the squared difference from 1.
    """
    n = len(colour.free)
    if n < 2:
        return
    matrices = colour.matrices() * (-colour.deviations()[:, 12]).exp()[:, None, None]
    unexposed = _transformed(matrices, skin.camera, shown)
    weight = _weights(colour, skin, shown)
    products = torch.stack([(unexposed * skin.image).sum(dim=1), unexposed.square().sum(dim=1)], dim=1)
    sums = products.new_zeros(n, 2).index_add_(0, skin.camera, products * weight[:, None]) + ridge
    gain = (sums[:, 0] / sums[:, 1]).clamp(*GAINS)
    colour.log_exposure.copy_(gain.log() - gain.log().mean())


def _weights(colour: ColourTransforms, skin: SeenSkin, shown: Tensor) -> Float[Tensor, " point"]:
    residual = skin.image - _transformed(colour.matrices(), skin.camera, shown)
    return skin.weight * robust(residual.abs().amax(dim=1))


def _transformed(matrices: Float[Tensor, "camera 3 4"], camera: Tensor, rgb: Float[Tensor, "point 3"]) -> Tensor:
    return torch.einsum("pij,pj->pi", matrices[camera, :, :3], rgb) + matrices[camera, :, 3]

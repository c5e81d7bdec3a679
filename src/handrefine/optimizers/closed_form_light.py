"""Light and the cameras' colours by linear least squares, given the pose; the texture follows both."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from handrefine.optimizers.seen_skin import Patches, SeenSkin, robust
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.light import SphericalLight
from handrefine.spherical import sh_basis

#: Irradiance of a Lambertian receiver a band of radiance, over pi (Ramamoorthi and Hanrahan 2001, eq. 8).
COSINE_LOBE = (1.0, 2.0 / 3.0, 1.0 / 4.0, 0.0, -1.0 / 24.0)
#: Shading below which a ratio of shadings says nothing.
LEAST_SHADING = 0.02
#: Weight of the light as it is, as a share of the mean curvature.
RIDGE = 1e-4
#: How far the texture is taken to follow. All the way, a hand that keeps still would say nothing of its light.
FOLLOWING = 0.98
#: More pixels tell no more of so few unknowns.
MOST_POINTS = 50_000
#: Smallest and largest exposure of a camera beside the others'.
GAINS = (1 / 20, 20)


@torch.no_grad()
def fit_light_and_colours(
    colour: ColourTransforms,
    skin: SeenSkin,
    patches: Patches | None,
    *,
    light: SphericalLight | None,
    ridge: float | None,
    share: float = 1.0,
) -> Float[Tensor, "point 3"]:
    """One reweighted least-squares step of both, in place; by how much the shading changes.

    Unoccluded irradiance is linear in the light, `E(n) / pi = sum_i a_i c_i Y_i(n)`; what the render adds by
    shadows and interreflections is taken to scale with it. Channel k of a pixel so changes by `m_kk shown_k / (E_k
    / pi) * a Y(n)` with the light, by `e (shown, 1)` with row k of its camera's transform, and by `m_kk shown_k`
    with the logarithm of its patch's reflectance. The last is eliminated (variable projection; Golub and Pereyra
    1973): fitted in turn, texture and light explain one another's errors, and settle slowly.

    Args:
        patches: None where no texture follows.
        light: None where it stays as it is.
        ridge: weight of a squared entry of a transform's difference from the identity beside the sum over pixels
            of the squared residual; None where the transforms stay as they are.
        share: of the step that is taken, where the texture follows by that share.
    """
    n_cameras = len(colour.free) if ridge is not None and len(colour.free) > 1 else 0
    if light is None and not n_cameras:
        return torch.ones_like(skin.shown)
    basis, shading = _unoccluded(light, skin)
    n_light = basis.shape[1]
    stride = 1 + len(basis) // MOST_POINTS
    every = slice(None, None, stride)
    camera, shown, weight = skin.camera[every], skin.shown[every], stride * skin.weight[every]
    residual = skin.image[every] - _transformed(colour.matrices(), camera, shown)
    diagonal = colour.matrices().diagonal(dim1=1, dim2=2)[camera] * shown
    affine = torch.cat([shown, torch.ones_like(shown[:, :1])], dim=1)
    affine = affine * colour.deviations()[camera, 12:].exp()
    own = one_hot(camera, len(colour.free))[:, :n_cameras]
    of_cameras = (own[:, :, None] * affine[:, None]).flatten(1)
    steps = []
    for k in range(3):
        follows = diagonal[:, k]
        x = torch.cat([basis[every] * (follows / shading[every, k])[:, None], of_cameras], dim=1)
        columns = torch.cat([x, residual[:, k, None], follows[:, None]], dim=1)
        patch = None if patches is None else (patches.index[every], patches.count)
        normal, right = _normal_equations(columns, weight * robust(residual[:, k]), patch)
        pull = torch.zeros_like(right)
        pull[:n_light] = RIDGE * normal.diagonal()[:n_light].mean() + 1e-12
        if n_cameras and ridge is not None:
            pull[n_light:] = ridge
            right[n_light:] -= ridge * colour.deviations()[:, 4 * k : 4 * k + 4].flatten()
        steps.append(torch.linalg.solve(normal + torch.diag(pull), right))
    step = share * torch.stack(steps, dim=1).to(shown)
    if n_cameras:
        moved = step[n_light:].unflatten(0, (n_cameras, 4)).movedim(2, 1)
        colour.free.copy_(colour.deviations()[:, :12].unflatten(1, (3, 4)) + moved)
    if light is None:
        return torch.ones_like(skin.shown)
    light.coefficients.add_(step[:n_light])
    return (basis @ light.coefficients).clamp(min=LEAST_SHADING) / shading


def _unoccluded(
    light: SphericalLight | None, skin: SeenSkin
) -> tuple[Float[Tensor, "point coefficient"], Float[Tensor, "point 3"]]:
    """What every coefficient shines on the skin, and all of them together."""
    if light is None:
        return skin.shown[:, :0], torch.ones_like(skin.shown)
    bands = [COSINE_LOBE[degree] for degree in range(light.order + 1) for _ in range(2 * degree + 1)]
    basis = sh_basis(skin.points.normal, light.order) * skin.shown.new_tensor(bands)
    return basis, (basis @ light.coefficients).clamp(min=LEAST_SHADING)


def _normal_equations(
    columns: Float[Tensor, "point column"], weight: Float[Tensor, " point"], patches: tuple[Tensor, int] | None
) -> tuple[Float[Tensor, "unknown unknown"], Float[Tensor, " unknown"]]:
    """Both sides, without what the patches' reflectance takes away.

    columns: the derivatives by the unknowns, the residual, the derivative by the logarithm of reflectance.
    patches: every point's, and how many there are.
    """
    products = ((columns * weight[:, None]).T @ columns[:, :-1]).double()[:-1]
    if patches is not None:
        index, count = patches
        weighted = columns * (weight * columns[:, -1])[:, None]
        sums = weighted.new_zeros(count, columns.shape[1]).index_add_(0, index, weighted).double()
        coupling = sums[:, :-1]
        products -= FOLLOWING * (coupling / sums[:, -1:].clamp(min=1e-12)).T @ coupling
    return products[:-1, :-1], products[:-1, -1].clone()


@torch.no_grad()
def fit_exposures(colour: ColourTransforms, skin: SeenSkin, shown: Float[Tensor, "point 3"], ridge: float) -> None:
    """Every camera's exposure by ridge regression towards 1, in place; the rest of its transform stays.

    ridge: as for `fit_light_and_colours`, of the squared difference from 1.
    """
    n = len(colour.free)
    if n < 2:
        return
    matrices = colour.matrices() * (-colour.deviations()[:, 12]).exp()[:, None, None]
    unexposed = _transformed(matrices, skin.camera, shown)
    residual = skin.image - _transformed(colour.matrices(), skin.camera, shown)
    weight = skin.weight * robust(residual.abs().amax(dim=1))
    products = torch.stack([(unexposed * skin.image).sum(dim=1), unexposed.square().sum(dim=1)], dim=1)
    sums = products.new_zeros(n, 2).index_add_(0, skin.camera, products * weight[:, None]) + ridge
    gain = (sums[:, 0] / sums[:, 1]).clamp(*GAINS)
    colour.log_exposure.copy_(gain.log() - gain.log().mean())


def _transformed(matrices: Float[Tensor, "camera 3 4"], camera: Tensor, rgb: Float[Tensor, "point 3"]) -> Tensor:
    return torch.einsum("pij,pj->pi", matrices[camera, :, :3], rgb) + matrices[camera, :, 3]

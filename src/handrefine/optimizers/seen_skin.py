"""The pixels that show skin wholly: what light, colour transforms and textures are fitted to in closed form."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from handrefine.losses.base import Iterate
from handrefine.losses.comparison import BESIDE
from handrefine.losses.data import colour_weight
from handrefine.observations import Observations
from handrefine.optimizers.picture_motion import WHOLLY
from handrefine.optimizers.surface_points import PointFinder, SurfacePoints
from handrefine.scene.colour_transforms import luminance
from handrefine.scene.video_model import VideoModel

#: Skin seen at a smaller cosine tells more of its contour than of its colour.
LEAST_COSINE = 0.15
#: Residual from which on a pixel counts less in a fit (Huber's).
KINK = 0.05
#: Patches along a side of the texture.
PATCHES = 64


@dataclass(frozen=True, eq=False)
class Patches:
    """Small areas of the skin, whose reflectance a texture can follow each by itself.

    index: of every point. count: how many there are.
    """

    index: Int[Tensor, " point"]
    count: int


@dataclass(frozen=True, eq=False)
class SeenSkin:
    """Pixels, one a row.

    points: their material points. camera: of each pixel. weight: how far it counts.
    shown: as rendered, before its camera's colours. image: what its camera should show; a grey camera's, completed
        by the colours that are predicted, as are channels that are but bounds which these keep. A pixel that is
        nothing else counts for nothing.
    """

    points: SurfacePoints
    camera: Int[Tensor, " point"]
    weight: Float[Tensor, " point"]
    shown: Float[Tensor, "point 3"]
    image: Float[Tensor, "point 3"]

    def wanted(self, matrices: Float[Tensor, "camera 3 4"]) -> Float[Tensor, "point 3"]:
        """The image before the camera's colours."""
        return uncoloured(self.image, matrices, self.camera)


def seen_skin(
    iterate: Iterate, observations: Observations, points: SurfacePoints, finder: PointFinder, *, protect: bool
) -> SeenSkin:
    """Those of an iterate.

    protect: pixels that labels say are not hand count for nothing.
    """
    prediction, pixel = iterate.prediction, points.pixel
    weight = colour_weight(observations, iterate)
    eye = normalize(finder.center_world[points.view] - points.world, dim=1)
    cosine = (points.normal * eye).sum(dim=1)
    use = points.own & (prediction.coverage[pixel] > WHOLLY) & (weight[pixel] > 0) & (cosine > LEAST_COSINE)
    if protect:
        labelled = (observations.silhouette_weight > 0) & observations.background_known
        use &= ~(labelled & (observations.hand_share < BESIDE))[pixel]
    points, cosine = points.select(use), cosine[use]
    pixel = points.pixel
    camera = observations.camera_of_pixel[pixel]
    coloured, image = prediction.hand_rgb[pixel], observations.target[pixel]
    grey = observations.grey_pixel[pixel][:, None]
    image = torch.where(grey, coloured + luminance(image - coloured)[:, None], image)
    weight = weight[pixel] * cosine
    if observations.clipped is not None:
        kept = (observations.clipped != 0) & (iterate.comparison.target == iterate.comparison.as_seen)
        image = torch.where(kept[pixel], coloured, image)
        weight = weight * ~kept[pixel].all(dim=1)
    shown = uncoloured(coloured, iterate.model.colour.matrices(), camera)
    return SeenSkin(points, camera, weight, shown, image)


def uncoloured(
    rgb: Float[Tensor, "point 3"], matrices: Float[Tensor, "camera 3 4"], camera: Int[Tensor, " point"]
) -> Float[Tensor, "point 3"]:
    """Colours of wholly covered pixels before their cameras' transforms."""
    inverse = torch.linalg.inv(matrices[..., :3])[camera]
    return torch.einsum("pij,pj->pi", inverse, rgb - matrices[camera, :, 3])


def robust(residual: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Weights of iteratively reweighted least squares with Huber's norm; 1 below its kink."""
    return KINK / residual.abs().clamp(min=KINK)


def albedo_at(model: VideoModel, points: SurfacePoints, levels: int) -> Float[Tensor, "point 3"]:
    """The textures where the points are; bilinear between texel centres, v = 1 is the first row."""
    albedo = points.uv.new_zeros(len(points.pixel), 3)
    for k, hand in enumerate(model.hands):
        of_hand = (points.hand == k).nonzero()[:, 0]
        textures = hand.texture(min(levels, hand.texture.n_levels))
        rows = texture_rows(model, points.select(of_hand), k)
        albedo[of_hand] = sampled(textures, points.uv[of_hand], rows)
    return albedo


def texture_rows(model: VideoModel, points: SurfacePoints, hand: int) -> Int[Tensor, " point"]:
    """Which of one hand's textures each of its points has."""
    of = model.hands[hand]
    if of.texture.n_textures == 1:
        return torch.zeros_like(points.pixel)
    before = sum(len(h.pose.translation) * h.hand.n_vertices for h in model.hands[:hand])
    return (points.corners[:, 0] - before) // of.hand.n_vertices


def patches_of(model: VideoModel, points: SurfacePoints) -> Patches:
    """The points' patches: coarse texels of each of the textures."""
    textures = list(dict.fromkeys(hand.texture for hand in model.hands))
    first = [0]
    for texture in textures:
        first.append(first[-1] + texture.n_textures)
    index = torch.zeros_like(points.pixel)
    for k, hand in enumerate(model.hands):
        of_hand = (points.hand == k).nonzero()[:, 0]
        rows = first[textures.index(hand.texture)] + texture_rows(model, points.select(of_hand), k)
        x, y = (points.uv[of_hand] * PATCHES).long().clamp(0, PATCHES - 1).unbind(dim=1)
        index[of_hand] = (rows * PATCHES + y) * PATCHES + x
    return Patches(index, first[-1] * PATCHES**2)


def texels(
    uv: Float[Tensor, "point 2"], rows: Int[Tensor, " point"], size: int
) -> tuple[Int[Tensor, "point 4"], Float[Tensor, "point 4"]]:
    """The four texels around each point, among those of all textures row by row, and their bilinear weights."""
    x, y = uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5
    x0, y0 = x.floor(), y.floor()
    wx, wy = x - x0, y - y0
    left, top = x0.long().clamp(0, size - 1), y0.long().clamp(0, size - 1)
    right, bottom = (x0.long() + 1).clamp(0, size - 1), (y0.long() + 1).clamp(0, size - 1)
    upper, lower = (rows * size + top) * size, (rows * size + bottom) * size
    index = torch.stack([upper + left, upper + right, lower + left, lower + right], dim=1)
    weight = torch.stack([(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy], dim=1)
    return index, weight


def sampled(
    textures: Float[Tensor, "texture size size 3"], uv: Float[Tensor, "point 2"], rows: Int[Tensor, " point"]
) -> Float[Tensor, "point 3"]:
    index, weight = texels(uv, rows, textures.shape[1])
    planes = textures.movedim(3, 0).reshape(3, -1)  # as pyramids keep them, so that nothing is copied
    total = uv.new_zeros(3, len(uv))
    for k in range(4):
        total += planes.index_select(1, index[:, k]) * weight[:, k]
    return total.T

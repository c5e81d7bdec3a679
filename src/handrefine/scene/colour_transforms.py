"""What each camera does to colours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrefine.observations import Observations
from handrefine.scene.scene_module import RenderedViews, SceneModule

#: Rec. 709 luminance of linear RGB.
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)


class ColourTransforms(SceneModule):
    """One affine map of linear RGB a camera, `rgb' = e (M rgb + b)`, starting at identity (3.4, our reading).

    e is the camera's exposure, a variable of its own since cameras differ in it by more than in hue. Multiplying
    every camera's transform by one matrix is the same as multiplying the light, so that one of the two must be
    held: the mean of `[M | b]` over the cameras is the identity, exactly and at every step, because the transforms
    are the free variables minus their mean, and likewise the mean of log e is 0. A single camera's transform is
    thus the identity.

    Attributes:
        free: of `[M | b]`, camera x 3 x 4; log_exposure: of e, one a camera.
    """

    variable = "colour"
    free: nn.Parameter
    log_exposure: nn.Parameter

    def __init__(self, n_cameras: int) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.zeros(n_cameras, 3, 4))
        self.log_exposure = nn.Parameter(torch.zeros(n_cameras))

    def matrices(self) -> Float[Tensor, "camera 3 4"]:
        """The transforms `e [M | b]`; differentiable."""
        identity = torch.eye(3, 4, dtype=self.free.dtype, device=self.free.device)
        deviations = self.deviations()
        return deviations[:, 12].exp()[:, None, None] * (identity + deviations[:, :12].unflatten(1, (3, 4)))

    def transform(
        self,
        rgb: Float[Tensor, "pixel 3"],
        camera_of_pixel: Int[Tensor, " pixel"],
        coverage: Float[Tensor, " pixel"] | None = None,
    ) -> Float[Tensor, "pixel 3"]:
        """Colours as their camera would show them; differentiable in everything but the indices.

        coverage: share of a pixel that the hand covers, where `rgb` is a hand over black. The offset b belongs to
            the hand and so enters in that share: the empty background stays black.
        """
        matrices = self.matrices()
        # Pixels of a view stand together: a product a run of them is several times faster than one a pixel.
        camera, sizes = torch.unique_consecutive(camera_of_pixel, return_counts=True)
        share = rgb.new_ones(len(rgb)) if coverage is None else coverage
        parts = zip(camera.tolist(), rgb.split(sizes.tolist()), share.split(sizes.tolist()), strict=True)
        return torch.cat(
            [torch.addmm(of[:, None] * matrices[k, :, 3], part, matrices[k, :, :3].T) for k, part, of in parts]
        )

    def deviations(self) -> Float[Tensor, "camera 13"]:
        """What `[M | b]` differs by from the identity, row by row, and log e; differentiable."""
        free = torch.cat([self.free.flatten(1), self.log_exposure[:, None]], dim=1)
        return free - free.mean(dim=0, keepdim=True)

    def adjust(self, views: RenderedViews, observations: Observations) -> RenderedViews:
        rgb = self.transform(views.hand_rgb, observations.camera_of_pixel, views.by_hand.sum(dim=1))
        return RenderedViews(rgb, views.by_hand)


def luminance(rgb: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Luminance of linear RGB (Rec. 709): all that a grey camera tells."""
    return rgb @ rgb.new_tensor(LUMINANCE_WEIGHTS)

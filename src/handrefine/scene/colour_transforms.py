"""What each camera does to colours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from handrefine.observations import Observations
from handrefine.scene.scene_module import RenderedViews, SceneModule

#: Rec. 709 luminance of linear RGB.
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)


class ColourTransforms(SceneModule):
    """One affine map of linear RGB a camera, `rgb' = M rgb + b`, starting at identity (3.4, our reading).

    Multiplying every camera's transform by one matrix is the same as multiplying the light, so that one of the two
    must be held: the mean of the transforms over the cameras is the identity, exactly and at every step, because
    the transforms are the free variables minus their mean. A single camera's transform is thus the identity.
    """

    variable = "colour"
    free: Float[Tensor, "camera 3 4"]

    def __init__(self, n_cameras: int) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.zeros(n_cameras, 3, 4))

    def matrices(self) -> Float[Tensor, "camera 3 4"]:
        """The transforms `[M | b]`; differentiable."""
        identity = torch.eye(3, 4, dtype=self.free.dtype, device=self.free.device)
        return identity + self.free - self.free.mean(dim=0, keepdim=True)

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
        per_pixel = self.matrices()[camera_of_pixel]
        offset = per_pixel[..., 3]
        if coverage is not None:
            offset = offset * coverage[:, None]
        return torch.einsum("pij,pj->pi", per_pixel[..., :3], rgb) + offset

    def deviations(self) -> Float[Tensor, "camera 3 4"]:
        """What the transforms differ by from the identity; differentiable."""
        return self.free - self.free.mean(dim=0, keepdim=True)

    def adjust(self, views: RenderedViews, observations: Observations) -> RenderedViews:
        rgb = self.transform(views.hand_rgb, observations.camera_of_pixel, views.by_hand.sum(dim=1))
        return RenderedViews(rgb, views.by_hand)


def luminance(rgb: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Luminance of linear RGB (Rec. 709): all that a grey camera tells."""
    return rgb @ rgb.new_tensor(LUMINANCE_WEIGHTS)

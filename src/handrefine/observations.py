"""What a video says, pixel by pixel, cropped to the hands and resampled to the rendering's resolution."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from handrefine.preprocess.crops import Window
from handrefine.sequence import ViewKey
from handrefine.views import ViewSet


@dataclass(frozen=True, eq=False)
class Observations:
    """All views' pixels in the flat order of `views`.

    Attributes:
        keys: (frame index, camera name) of every view; a frame index counts the frames that are refined.
        windows: where every view lies in its camera's full image.
        camera_names: the cameras in the order that `camera_of_pixel` counts.
        image: the image as it was taken, linear RGB.
        target: what the picture should show; background: what stands behind the rendered hand (see `LabelImage`).
        colour_weight: 1 where colours are compared, else 0.
        background_known: False where the background is the image itself.
        hand_share: share of the pixel that labels call hand; silhouette_weight: 1 where they say so, else 0.
        grey_pixel: pixels of grey cameras.
        hand_of_view: which of two hands every view's window surrounds; None where there is one hand.
        owner: which of two hands a pixel certainly shows, -1 where neither; None where there is one hand.
    """

    views: ViewSet
    keys: tuple[ViewKey, ...]
    windows: tuple[Window, ...]
    camera_names: tuple[str, ...]
    image: Float[Tensor, "pixel 3"]
    target: Float[Tensor, "pixel 3"]
    background: Float[Tensor, "pixel 3"]
    colour_weight: Float[Tensor, " pixel"]
    background_known: Bool[Tensor, " pixel"]
    hand_share: Float[Tensor, " pixel"]
    silhouette_weight: Float[Tensor, " pixel"]
    grey_pixel: Bool[Tensor, " pixel"]
    camera_of_pixel: Int[Tensor, " pixel"]
    hand_of_view: tuple[int, ...] | None = None
    owner: Int[Tensor, " pixel"] | None = None

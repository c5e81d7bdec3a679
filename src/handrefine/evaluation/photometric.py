"""How well a render explains the colours of a camera that the fit never saw."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from handrefine.colour_fit import apply_transform, fit_colour_transform

#: Fewer pixels than this say nothing: the twelve numbers of the transform would explain them by themselves.
FEWEST_PIXELS = 50
#: Coverage from which on a pixel shows the hand alone.
FULLY_COVERED = 0.99


@dataclass(frozen=True, eq=False)
class PhotometricError:
    """What is left between render and image once the camera's colours are fitted.

    mean_abs: mean over pixels and channels of the absolute difference, linear RGB (white is 1).
    transform: the camera's `[M | b]`, `image = M render + b`.
    n_pixels: how many pixels were compared.
    """

    mean_abs: float
    transform: Float[Tensor, "3 4"]
    n_pixels: int


def photometric_error(
    hand_rgb: Float[Tensor, "pixel 3"],
    coverage: Float[Tensor, " pixel"],
    image: Float[Tensor, "pixel 3"],
    judged: Bool[Tensor, " pixel"],
) -> PhotometricError | None:
    """The error of one camera, all of its pixels at all of its frames together.

    Compared are judged pixels that the hand covers wholly (99 %). The camera's `[M | b]` minimises the squared
    difference over them in closed form; it is the only thing that is fitted. An image of a grey camera needs no
    care: a luminance of transformed colours is one affine function of the colours, and that is what is fitted to
    each of its three equal channels. None below 50 pixels.

    What a render fails to cover is not seen here: read it beside mask recall and contour distance.

    Args:
        hand_rgb: linear RGB over black, before any colour transform.
        coverage: share of the pixel that the hand covers.
        image: linear RGB.
        judged: where the image shows what the render can explain: not saturated, not beyond the wrist, not the
            other hand (`measured` of observations says so; `judged_region` without the saturation).
    """
    compared = judged & (coverage >= FULLY_COVERED)
    n_pixels = int(compared.sum())
    if n_pixels < FEWEST_PIXELS:
        return None
    rendered, seen = hand_rgb[compared] / coverage[compared, None], image[compared]
    transform = fit_colour_transform(rendered, seen)
    difference = (apply_transform(transform, rendered) - seen).abs()
    return PhotometricError(float(difference.mean()), transform, n_pixels)

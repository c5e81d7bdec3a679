"""How well a result fits the views that it was fitted to, without any truth or mask."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from handrefine import regions
from handrefine.evaluation.contours import contour_distance_px, contour_points_px, mean_contour_distance_px
from handrefine.evaluation.photometric import FULLY_COVERED, photometric_error
from handrefine.preprocess.masks.sensor_range import clipped_channels
from handrefine.runs.result import HAND, NOT_HAND, UNKNOWN, HandResult, ViewRender, ViewResult

#: Share of the hand's median brightness below which a pixel is a dark spot.
DARK = 0.2
#: A pixel belongs to the rendered hands from this coverage on.
COVERED = 0.5
#: Labels by colour know nothing of a rim around the hand; this wide at most.
RIM_PX = 2
Labels = UInt8[np.ndarray, "height width"]
Image = Float[np.ndarray, "height width 3"]
RenderOf = Callable[[ViewResult], ViewRender]


def own_view_figures(hand: HandResult) -> dict[str, dict[str, float | None]]:
    """Before and after, by their names in `metrics.json`; None where the views tell nothing.

    photometric_error: as of held-out cameras, see `photometric_error`; the mean over the cameras.
    label_contour_px: distance of the outlines of render and labels where labels say something, in pixels of the
        full image, see `contour_distance_px`; the mean over the views. Labels are what the run itself made of its
        masks or of its own segmentation.
    dark_share: see `dark_share`; the mean over the views.
    """
    moments: dict[str, RenderOf] = {"before": lambda view: view.before, "after": lambda view: view.after}
    figures: dict[str, Callable[[Sequence[ViewResult], RenderOf], float | None]] = {
        "photometric_error": _photometric,
        "label_contour_px": _label_contour,
        "dark_share": _dark,
    }
    return {
        name: {moment: figure(hand.views, render) for moment, render in moments.items()}
        for name, figure in figures.items()
    }


def dark_share(rgb: Image, coverage: Float[np.ndarray, "height width"]) -> float | None:
    """Share of the wholly covered pixels that are darker than a fifth of their median brightness.

    None where no pixel is wholly covered.

    Args:
        rgb: of the hand over black, linear; the mean over the channels is its brightness.
    """
    brightness = rgb[coverage >= FULLY_COVERED].mean(axis=1)
    return float((brightness < DARK * np.median(brightness)).mean()) if len(brightness) else None


def _dark(views: Sequence[ViewResult], render: RenderOf) -> float | None:
    shares = [dark_share(render(view).rgb, render(view).own_coverage) for view in views]
    return _mean([share for share in shares if share is not None])


def _photometric(views: Sequence[ViewResult], render: RenderOf) -> float | None:
    cameras: dict[str, list[ViewResult]] = {}
    for view in views:
        cameras.setdefault(view.camera, []).append(view)
    errors = []
    for of_camera in cameras.values():
        renders = [render(view) for view in of_camera]
        error = photometric_error(
            _flat([of.rgb for of in renders]),
            _flat([of.own_coverage for of in renders]),
            _flat([view.image for view in of_camera]),
            _flat([_comparable(view) for view in of_camera]),
        )
        if error is not None:
            errors.append(error.mean_abs)
    return _mean(errors)


def _comparable(view: ViewResult) -> Bool[np.ndarray, "height width"]:
    """Not saturated, and not unknown; but where labels know nothing at all, everything."""
    comparable = np.all(clipped_channels(view.image) <= 0, axis=2)
    if (view.label == HAND).any():
        comparable &= view.label != UNKNOWN
    return comparable


def _label_contour(views: Sequence[ViewResult], render: RenderOf) -> float | None:
    """Of all hands together, as labels are."""
    distances = []
    for view in views:
        x0, y0, x1, y1 = view.window_px
        full_px = np.sqrt((x1 - x0) * (y1 - y0) / (view.size_px[0] * view.size_px[1]))
        judged, rim = view.label != UNKNOWN, np.zeros(view.label.shape, bool)
        _leave_out_border(judged)
        if not len(contour_points_px(view.label == HAND, judged)):
            rim = _rim(view.label)
            judged |= rim
            _leave_out_border(judged)
        outlines = [view.label == HAND] + ([(view.label == HAND) | rim] if rim.any() else [])
        found = [contour_distance_px(render(view).coverage > COVERED, outline, judged) for outline in outlines]
        known = [full_px * distance for distance in found if distance is not None]
        distances.append(float(np.mean(known)) if known else None)
    return mean_contour_distance_px(distances)


def _rim(label: Labels) -> Bool[np.ndarray, "height width"]:
    """What is unknown between hand and not hand, as labels by colour leave it: the outline is its either side."""
    near = [regions.dilated(label == of, RIM_PX) for of in (HAND, NOT_HAND)]
    return (label == UNKNOWN) & near[0] & near[1]


def _leave_out_border(judged: Bool[np.ndarray, "height width"]) -> None:
    judged[[0, -1]] = judged[:, [0, -1]] = False


def _flat(images: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.cat([torch.as_tensor(image).flatten(0, 1) for image in images])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None

"""`views/`: what every view shows and what the hand looks like in it, for whoever looks at a run later."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.io.image_files import read_rgba_image, srgb_bytes, write_image
from handrefine.io.text_files import read_json
from handrefine.runs.layout import RunLayout
from handrefine.runs.result import ViewRender, ViewResult
from handrefine.sequence import FrameId

FIX = "refine again, or give a folder that `handrefine refine` has finished"


@dataclass(frozen=True)
class ViewEntry:
    """One view of a run, as `views.json` lists it.

    window_px: the part of the full image that is shown, (x0, y0, x1, y1), upper bounds exclusive.
    size_px: width and height to which it is resampled.
    own_coverage: what this hand covers has images of its own, because another hand is seen as well.
    """

    frame: FrameId
    camera: str
    window_px: tuple[int, int, int, int]
    size_px: tuple[int, int]
    own_coverage: bool = False


@dataclass(frozen=True, eq=False)
class ViewImages:
    """The images of one view in sRGB; the renders' alpha is the share of a pixel that hands cover."""

    image: UInt8[np.ndarray, "height width 3"]
    label: UInt8[np.ndarray, "height width"]
    before: UInt8[np.ndarray, "height width 4"]
    after: UInt8[np.ndarray, "height width 4"]


def write_views(layout: RunLayout, views: Sequence[ViewResult]) -> None:
    """Write the images of all views, then the index, so that it never names a missing image."""
    layout.views.mkdir(exist_ok=True)
    write_json(layout.view_index, [_written(layout, view) for view in views])


def _written(layout: RunLayout, view: ViewResult) -> dict[str, object]:
    """Write the images of one view; returns its entry of the index."""
    renders = {"before": view.before, "after": view.after}
    own = any(not np.array_equal(of.own_coverage, of.coverage) for of in renders.values())
    images = {"image": srgb_bytes(view.image), "label": _grey(view.label)}
    images |= {moment: _with_alpha(of) for moment, of in renders.items()}
    if own:
        images |= {f"own_{moment}": _grey(_levels(of.own_coverage)) for moment, of in renders.items()}
    for kind, image in images.items():
        write_image(layout.view(view.frame, view.camera, kind), image)
    entry = {key: getattr(view, key) for key in ("frame", "camera", "window_px", "size_px")}
    return {**entry, **({"own_coverage": True} if own else {})}


def read_view_index(layout: RunLayout) -> tuple[ViewEntry, ...]:
    """The views whose images a run folder holds.

    Raises:
        InputError: the index is missing or broken.
    """
    stored = read_json(layout.view_index)
    try:
        return tuple(
            ViewEntry(
                FrameId(int(e["frame"])),
                str(e["camera"]),
                _integers(e["window_px"], 4),
                _integers(e["size_px"], 2),
                bool(e.get("own_coverage", False)),
            )
            for e in stored
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            "the index of a run's views is broken", where=layout.view_index, found=error, fix=FIX
        ) from error


def read_view(layout: RunLayout, entry: ViewEntry) -> ViewImages:
    """The images of one view.

    Raises:
        InputError: an image is missing or broken, or has another size than the index says.
    """
    image, label = (_read(layout, entry, kind)[..., :3] for kind in ("image", "label"))
    before, after = (_read(layout, entry, kind) for kind in ("before", "after"))
    return ViewImages(image, label[..., 0], before, after)


def read_view_result(layout: RunLayout, entry: ViewEntry) -> ViewResult:
    """One view as it was written, up to its 8 bits; raises as `read_view`."""
    view = read_view(layout, entry)
    renders = {}
    for moment, rgba in (("before", view.before), ("after", view.after)):
        coverage = rgba[..., 3].astype(np.float32) / 255
        own = coverage
        if entry.own_coverage:
            own = _read(layout, entry, f"own_{moment}")[..., 0].astype(np.float32) / 255
        renders[moment] = ViewRender(srgb8_to_linear(rgba[..., :3]) * coverage[..., None], coverage, own)
    return ViewResult(
        frame=entry.frame,
        camera=entry.camera,
        window_px=entry.window_px,
        size_px=entry.size_px,
        image=srgb8_to_linear(view.image),
        label=view.label,
        **renders,
    )


def _integers(values: Sequence[object], count: int) -> tuple:
    if len(values) != count:
        raise ValueError(f"{values} are not {count} numbers")
    return tuple(int(str(value)) for value in values)


def _with_alpha(render: ViewRender) -> UInt8[np.ndarray, "height width 4"]:
    """Coverage as straight alpha: the renderer's colours are multiplied by it, an image file's are not."""
    straight = render.rgb / np.maximum(render.coverage, 1e-3)[..., None]
    colour = srgb_bytes(straight * (render.coverage > 0)[..., None])
    return np.concatenate([colour, _levels(render.coverage)[..., None]], axis=-1)


def _levels(coverage: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    return np.rint(np.clip(coverage, 0, 1) * 255).astype(np.uint8)


def _grey(values: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    return np.repeat(values[..., None], 3, axis=-1)


def _read(layout: RunLayout, entry: ViewEntry, kind: str) -> UInt8[np.ndarray, "_ _ 4"]:
    path = layout.view(entry.frame, entry.camera, kind)
    try:
        image = read_rgba_image(path)
    except InputError as error:
        raise InputError("a view's image is missing or broken", where=path, fix=FIX) from error
    if image.shape[1::-1] != entry.size_px:
        raise InputError(
            "a view's image has another size than the index says",
            where=path,
            expected=entry.size_px,
            found=image.shape[1::-1],
            fix=FIX,
        )
    return image

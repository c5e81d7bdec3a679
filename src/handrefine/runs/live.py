"""The pictures that a running refinement leaves for whoever follows it; they go when it ends."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from handrefine.io.files import whole_file
from handrefine.io.image_files import write_image
from handrefine.runs.layout import RunLayout, view_stem
from handrefine.runs.overlay import contour_overlay, enlarged_size, enlarged_srgb
from handrefine.sequence import FrameId


@runtime_checkable  # so that shape checks while testing can handle it
class Seen(Protocol):
    """A view as an iteration saw it: linear RGB of image and render, and what the hands cover."""

    @property
    def camera(self) -> str: ...
    @property
    def frame(self) -> FrameId: ...
    @property
    def image(self) -> Float[np.ndarray, "height width 3"]: ...
    @property
    def rgb(self) -> Float[np.ndarray, "height width 3"]: ...
    @property
    def coverage(self) -> Float[np.ndarray, "height width"]: ...


def write_live_views(layout: RunLayout, views: Sequence[Seen]) -> None:
    """Of each the contour over the image, and the render beside it, in the place of those before.

    Whoever reads meanwhile finds every file whole. A disk that is full costs these only.
    """
    with suppress(OSError):
        layout.live.mkdir(exist_ok=True)
        old = set(layout.live.glob("*.png"))
        for view in views:
            render = enlarged_srgb(view.rgb, *enlarged_size(*view.coverage.shape))
            sheet = np.concatenate([contour_overlay(view.image, view.coverage), render], axis=1)
            path = layout.live / f"{view_stem(view.frame, view.camera)}.png"
            with whole_file(path) as temporary:
                write_image(temporary, sheet)
            old.discard(path)
        for path in old:
            path.unlink()


def remove_live_views(layout: RunLayout) -> None:
    """They belong to no finished run."""
    shutil.rmtree(layout.live, ignore_errors=True)

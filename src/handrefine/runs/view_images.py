"""`views/`: what every view shows and what the hand looks like in it, for whoever looks at a run later."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.errors import InputError
from handrefine.files import whole_file, write_json
from handrefine.image_files import srgb_bytes, write_picture
from handrefine.runs.overlay import Rendered

#: Shades of a label picture.
NOT_HAND, UNKNOWN, HAND = 0, 128, 255
INDEX = "views/views.json"
FIX = "refine again, or give a folder that `handrefine refine` has finished"


def view_stem(frame: int, camera: str) -> str:
    """How files of one view begin; frame: the dataset's own number."""
    return f"frame{frame}_cam{camera}"


@dataclass(frozen=True)
class ViewEntry:
    """One view of a run.

    frame: the dataset's own frame number.
    window_px: the part of the full image that is shown, (x0, y0, x1, y1), upper bounds exclusive.
    size_px: width and height to which it is resampled.
    """

    frame: int
    camera: str
    window_px: tuple[int, int, int, int]
    size_px: tuple[int, int]

    @property
    def stem(self) -> str:
        return view_stem(self.frame, self.camera)


@dataclass(frozen=True, eq=False)
class ViewPictures:
    """The pictures of one view in sRGB; the renders' alpha is the share of a pixel that the hand covers."""

    image: UInt8[np.ndarray, "height width 3"]
    label: UInt8[np.ndarray, "height width"]
    before: UInt8[np.ndarray, "height width 4"]
    after: UInt8[np.ndarray, "height width 4"]


def write_view(
    run: Path,
    entry: ViewEntry,
    image_linear: Float[np.ndarray, "height width 3"],
    label: UInt8[np.ndarray, "height width"],
    before: Rendered,
    after: Rendered,
) -> None:
    """Write the four pictures of one view."""
    folder = run / "views"
    folder.mkdir(exist_ok=True)
    write_picture(folder / f"{entry.stem}_image.png", srgb_bytes(image_linear))
    write_picture(folder / f"{entry.stem}_label.png", np.repeat(label[..., None], 3, axis=-1))
    for moment, rendered in (("before", before), ("after", after)):
        _write_rgba(folder / f"{entry.stem}_{moment}.png", _with_alpha(rendered))


def write_view_index(run: Path, entries: Sequence[ViewEntry]) -> None:
    """Write which views there are; last, so that an index never names a missing picture."""
    keys = ("frame", "camera", "window_px", "size_px")
    write_json(run / INDEX, [{key: getattr(entry, key) for key in keys} for entry in entries])


def read_view_index(run: Path) -> tuple[ViewEntry, ...]:
    """The views whose pictures a run folder holds; none in folders that were written without them.

    Raises:
        InputError: the index is broken.
    """
    path = run / INDEX
    if not path.is_file():
        return ()
    try:
        return tuple(
            ViewEntry(int(e["frame"]), str(e["camera"]), _integers(e["window_px"], 4), _integers(e["size_px"], 2))
            for e in json.loads(path.read_text(encoding="utf-8"))
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("the index of a run's views is broken", where=path, found=error, fix=FIX) from error


def read_view(run: Path, entry: ViewEntry) -> ViewPictures:
    """The pictures of one view.

    Raises:
        InputError: a picture is missing or broken, or has another size than the index says.
    """
    image, label, before, after = (
        _read(run / "views" / f"{entry.stem}_{name}.png", entry) for name in ("image", "label", "before", "after")
    )
    rgba = [cv2.cvtColor(p, cv2.COLOR_BGRA2RGBA) if p.shape[2] == 4 else _opaque(p) for p in (before, after)]
    return ViewPictures(cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2RGB), label[..., 0], rgba[0], rgba[1])


def _integers(values: Sequence[object], count: int) -> tuple:
    if len(values) != count:
        raise ValueError(f"{values} are not {count} numbers")
    return tuple(int(str(value)) for value in values)


def _with_alpha(rendered: Rendered) -> UInt8[np.ndarray, "height width 4"]:
    """Coverage as straight alpha: the renderer's colours are multiplied by it, a picture file's are not."""
    coverage, rgb = rendered
    straight = rgb / np.maximum(coverage, 1e-3)[..., None]
    alpha = np.rint(np.clip(coverage, 0, 1) * 255).astype(np.uint8)
    return np.concatenate([srgb_bytes(straight * (coverage > 0)[..., None]), alpha[..., None]], axis=-1)


def _write_rgba(path: Path, rgba: UInt8[np.ndarray, "height width 4"]) -> None:
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA)):
            raise OSError(f"cannot write {path}")


def _read(path: Path, entry: ViewEntry) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if picture is None:
        raise InputError("a view's picture is missing or broken", where=path, fix=FIX)
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.shape[1::-1] != entry.size_px:
        raise InputError(
            "a view's picture has another size than the index says",
            where=path,
            expected=entry.size_px,
            found=picture.shape[1::-1],
            fix=FIX,
        )
    return picture


def _opaque(bgr: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGBA)

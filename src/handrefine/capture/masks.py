"""Masks of hands that lie beside the images, of any usual kind, and whether they are masks of these hands.

Looked for are an alpha channel, files beside the images whose names say `mask` (`0001_mask.png`), and folders of
masks (`masks/cam0`, `cam0_mask`, `cam0/masks`). White may be 1 or 255, and soft edges are cut at one half.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from handrefine.capture.sources import IMAGE_ENDINGS, MASK_WORDS, FolderSource, FrameSource
from handrefine.errors import InputError
from handrefine.io.image_files import read_pixels
from handrefine.sequence import FrameId

#: Largest value of a mask that counts labels from 1; beyond it values are brightness.
_MOST_LABELS = 32
#: A mask is of these hands where most joints lie in it, and inverted where hardly any do.
_INSIDE, _OUTSIDE = 0.6, 0.25
#: So many masks of a camera are compared with the joints.
_COMPARED = 8


@dataclass(frozen=True)
class MaskFiles:
    """The masks of one camera: files by frame number; `alpha` where they are the transparency of images."""

    files: Mapping[FrameId, Path]
    size: tuple[int, int]
    alpha: bool = False
    inverted: bool = False

    def shifted(self, shift: int) -> "MaskFiles":
        """The same masks under frame numbers that are larger by `shift`."""
        return replace(self, files={FrameId(number + shift): path for number, path in self.files.items()})

    def read(self, number: FrameId) -> Bool[np.ndarray, "height width"]:
        """True where the hand is.

        Raises:
            InputError: the file is broken, or has another size than the images.
        """
        pixels = read_pixels(self.files[number], *self.size)
        values = pixels.colour.max(axis=2)
        if self.alpha:
            if pixels.alpha is None:
                raise InputError(
                    "an image has no alpha channel, others of its camera have", where=self.files[number]
                )
            values = pixels.alpha
        white, kinds = np.iinfo(values.dtype).max, np.bincount(values.ravel()) > 0
        labels = kinds.sum() <= 2 or values.max(initial=0) <= _MOST_LABELS
        mask = values > (0 if labels else white // 2)
        return ~mask if self.inverted else mask


def find_masks(
    sources: Mapping[str, FrameSource], given: Sequence[str], *, inverted: bool = False
) -> dict[str, MaskFiles]:
    """The masks of every camera that has some.

    Args:
        given: folders of masks, as NAME=DIR; the other cameras' are looked for beside their images.

    Raises:
        InputError: an argument names no camera, or no folder of masks.
    """
    found: dict[str, MaskFiles] = {}
    for argument in given:
        name, _, folder = argument.partition("=")
        if name not in sources or not folder:
            raise InputError("masks are given as NAME=DIR", found=argument, expected=", ".join(sources))
        files = _numbered(Path(folder), [])
        if not files:
            raise InputError("a folder holds no masks", where=folder)
        found[name] = MaskFiles(files, sources[name].size, inverted=inverted)
    for name, source in sources.items():
        if name not in found and isinstance(source, FolderSource):
            masks = _beside(source)
            if masks is not None:
                found[name] = replace(masks, inverted=inverted)
    return found


def _beside(source: FolderSource) -> MaskFiles | None:
    folder = source.where
    for place in _places(folder):
        files = _numbered(place, source.numbers)
        if files:
            return MaskFiles(files, source.size)
    files = _numbered(folder, source.numbers, marked=True)
    if files:
        return MaskFiles(files, source.size)
    first = source.path(source.numbers[0])
    if first is not None and first.suffix.lower() not in (".jpg", ".jpeg", ".bmp"):
        alpha = read_pixels(first).alpha
        if alpha is not None and alpha.min() < alpha.max():
            paths = {number: path for number in source.numbers if (path := source.path(number)) is not None}
            return MaskFiles(paths, source.size, alpha=True)
    return None


def _places(folder: Path) -> list[Path]:
    words = ("masks", "mask", "masks_hand", "mask_hand", "seg", "segmentation")
    return [
        *(folder / word for word in words),
        *(folder.parent / word / folder.name for word in words),
        *(folder.parent.parent / word / folder.name for word in words),
        *(folder.with_name(f"{folder.name}_{word}") for word in words),
    ]


def _numbered(folder: Path, numbers: Sequence[FrameId], *, marked: bool = False) -> dict[FrameId, Path]:
    """Images of a folder by the last number of their names; those of `numbers` only, if there are any."""
    if not folder.is_dir():
        return {}
    files: dict[FrameId, Path] = {}
    for path in sorted(folder.iterdir()):
        digits = re.findall(r"\d+", path.stem)
        if path.suffix.lower() in IMAGE_ENDINGS and digits and (not marked or MASK_WORDS.search(path.stem)):
            number = FrameId(int(digits[-1]))
            if not numbers or number in set(numbers):
                files[number] = path
    return files


def check_masks(name: str, masks: MaskFiles, uv_px: Mapping[FrameId, np.ndarray]) -> str | None:
    """Compare masks with the joints' pixels in the images as they were taken; what to tell if they are unusable.

    Args:
        uv_px: joints (joint, 2) by frame, NaN where unknown.

    Raises:
        InputError: the joints lie outside of the masks: they are inverted.
    """
    width, height = masks.size
    inside, area, border = [], [], []
    common = [number for number in masks.files if number in uv_px]
    for number in common[:: max(1, len(common) // _COMPARED)]:
        mask = masks.read(number)
        at = uv_px[number][np.isfinite(uv_px[number]).all(axis=1)].astype(int)
        at = at[((at >= 0) & (at < [width, height])).all(axis=1)]
        area.append(mask.mean())
        border.append(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())
        inside.extend(mask[at[:, 1], at[:, 0]].tolist())
    if not inside:
        return f"{name}: no mask belongs to a frame with a hand; the masks are left out"
    share = float(np.mean(inside))
    if max(area) == 0:
        return f"{name}: the masks are empty, and are left out"
    # A hand fills less than half of an image, and less still of its border.
    if share < _OUTSIDE and max(float(np.mean(area)), float(np.mean(border))) > 0.5:
        raise InputError(
            "the masks are inverted: they are white where the hand is not",
            where=f"camera {name}",
            found=f"{100 * share:.0f} % of the joints lie in them, and {100 * np.mean(area):.0f} % of the image",
            fix="take back --invert-masks" if masks.inverted else "--invert-masks",
        )
    if share < _INSIDE:
        return f"{name}: only {100 * share:.0f} % of the joints lie in the masks; they are left out"
    return None

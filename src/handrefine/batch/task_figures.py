"""What a finished task says in few words and two small pictures; found once and then remembered."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from handrefine.batch.folder import BatchFolder
from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.io.files import cache_json
from handrefine.io.text_files import read_json
from handrefine.report.markup import PHOTO_QUALITY, data_uri
from handrefine.runs.overlay import AFTER, BEFORE, contour_overlay
from handrefine.runs.reader import HandRun, open_run
from handrefine.runs.verdict_file import read_verdicts

#: Width of a thumbnail.
THUMBNAIL_PX = 200
_VERSION = 1
_PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class TaskFigures:
    """A finished run in few words.

    verdicts: how many frames of hands have each. held_out: as in `metrics.json`. thumbnails: data URIs of the view
    in the middle of the run, before and after, `size_px` wide and high.
    """

    verdicts: Mapping[str, int]
    held_out: Mapping[str, Any]
    thumbnails: tuple[str, ...]
    size_px: tuple[int, int]


def task_figures(folder: BatchFolder, name: str) -> TaskFigures | None:
    """None where the run cannot be read: a page of many tasks does not fail for one."""
    kept = folder.figures(name)
    try:
        stamp = [_VERSION, *_state_of(folder.run(name) / "metrics.json")]
        known = _known(kept, stamp)
        if known is None:
            known = _found(folder.run(name))
            cache_json(kept, {"stamp": stamp, **asdict(known)})
        return known
    except (InputError, OSError):
        return None


def _state_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _known(path: Path, stamp: list[int]) -> TaskFigures | None:
    try:
        kept = read_json(path)
        if kept["stamp"] != stamp or not all(_PICTURE.fullmatch(of) for of in kept["thumbnails"]):
            return None
        verdicts = {str(name): int(count) for name, count in kept["verdicts"].items()}
        width, height = map(int, kept["size_px"])
        return TaskFigures(verdicts, dict(kept["held_out"]), tuple(kept["thumbnails"]), (width, height))
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _found(path: Path) -> TaskFigures:
    run = open_run(path)
    said = Counter(str(of["verdict"]) for hand in run.hands for of in read_verdicts(hand.layout).values())
    held_out = run.metrics.get("holdout")
    images = _thumbnails(run.hands[0])
    height, width = images[0].shape[:2] if images else (0, 0)
    uris = tuple(data_uri(image, PHOTO_QUALITY) for image in images)
    return TaskFigures(dict(said), held_out if isinstance(held_out, dict) else {}, uris, (width, height))


def _thumbnails(hand: HandRun) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """A view in the middle of the run: the contour before and after over the image."""
    if not hand.views:
        return []
    images = hand.view_images(hand.views[len(hand.views) // 2])
    linear = srgb8_to_linear(images.image)
    sheets = (
        contour_overlay(linear, render[..., 3].astype(np.float32) / 255, colour)
        for render, colour in ((images.before, BEFORE), (images.after, AFTER))
    )
    return list(map(_small, sheets))


def _small(image: UInt8[np.ndarray, "_ _ 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    height = round(THUMBNAIL_PX * image.shape[0] / image.shape[1])
    return cv2.resize(image, (THUMBNAIL_PX, height), interpolation=cv2.INTER_AREA)

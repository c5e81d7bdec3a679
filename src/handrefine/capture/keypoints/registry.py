"""Keypoints of all cameras, whichever tool wrote them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handrefine.capture.detections import Detections, FoundHand, gathered
from handrefine.capture.keypoints.coco_wholebody import (
    is_coco_wholebody,
    is_image_a_file,
    read_coco_wholebody,
    read_image_a_file,
)
from handrefine.capture.keypoints.found import HandsByFrame, check_inside
from handrefine.capture.keypoints.mediapipe_results import is_mediapipe, read_mediapipe
from handrefine.capture.keypoints.openpose import is_openpose, read_openpose
from handrefine.capture.sources import FrameSource, all_frames
from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.text_files import read_json
from handrefine.sequence import FrameId

_FORMATS = (
    "for every camera NAME/*_keypoints.json of OpenPose, NAME/*.json of MMPose, or NAME.json of COCO-WholeBody "
    "(also MMPose's) or MediaPipe; or an npz file with camera, frames, uv_px (camera, frame, hand, 21, 2) and "
    "confidence"
)


def read_keypoints(path: Path, sources: Mapping[str, FrameSource]) -> Detections:
    """The hands of every camera at the frames of `all_frames(sources)`.

    Raises:
        InputError: nothing is there for a camera, or it is damaged, or does not fit the images.
    """
    found = _found(path, sources)
    frames = all_frames(list(sources.values()))
    hands: dict[str, list[list[FoundHand]]] = {}
    for name, source in sources.items():
        if name not in found:
            raise InputError("a camera has no keypoints", where=path, expected=name, found=", ".join(found))
        check_inside(found[name], source, f"{path}, camera {name}")
        hands[name] = [found[name].get(frame, []) for frame in frames]
        if not any(hands[name]):
            raise InputError(
                "a camera's keypoints are of other frames, or hold no hand",
                where=f"{path}, camera {name}",
                expected=f"some of the frames {frames[0]} to {frames[-1]}",
                found=", ".join(map(str, sorted(found[name])[:5])) or "none",
            )
    return gathered(hands, frames)


def _found(path: Path, sources: Mapping[str, FrameSource]) -> dict[str, HandsByFrame]:
    """What the files hold; a value of another kind or shape than a format says is damage."""
    if path.suffix != ".npz" and not path.is_dir():
        raise InputError("keypoints of no known format", where=path, expected=_FORMATS)
    try:
        if path.suffix == ".npz":
            return _of_npz(path)
        return {name: _of_camera(path, name, source) for name, source in sources.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError("the keypoints are damaged", where=path, expected=_FORMATS, found=repr(error)) from error


def _of_camera(path: Path, name: str, source: FrameSource) -> HandsByFrame:
    folder, file = path / name, path / f"{name}.json"
    if is_openpose(folder):
        return read_openpose(folder)
    if is_image_a_file(folder):
        return read_image_a_file(folder)
    if file.is_file():
        content = read_json(file)
        if is_mediapipe(content):
            return read_mediapipe(file, source.size)
        if is_coco_wholebody(content):
            return read_coco_wholebody(file)
    raise InputError(
        "a camera has no keypoints of a known format", where=f"{path}, camera {name}", expected=_FORMATS
    )


def _of_npz(path: Path) -> dict[str, HandsByFrame]:
    """As an import leaves its own (`detections.npz`): hand 0 is the right one, pixel centres at one half."""
    arrays = read_npz(path)
    missing = {"camera", "frames", "uv_px"} - set(arrays)
    if missing:
        raise InputError(f"arrays are missing: {', '.join(sorted(missing))}", where=path, expected=_FORMATS)
    cameras, frames = arrays["camera"].astype(str), arrays["frames"]
    uv_px = np.asarray(arrays["uv_px"], np.float64)
    shape = (len(cameras), len(frames), 2, 21, 2)
    if uv_px.shape != shape:
        raise InputError("an array has another shape", where=f"{path}, uv_px", expected=shape, found=uv_px.shape)
    known = np.asarray(np.isfinite(uv_px).all(axis=-1))
    confidence = np.asarray(arrays.get("confidence", known), np.float64)
    if confidence.shape != shape[:-1]:
        raise InputError("an array has another shape", where=f"{path}, confidence", expected=shape[:-1])

    def hands(c: int, f: int) -> list[FoundHand]:
        weight = np.where(known[c, f], confidence[c, f], 0.0)
        sides = [FoundHand(np.nan_to_num(uv_px[c, f, k]), weight[k], 0.9 - 0.8 * k) for k in range(2)]
        return [hand for hand in sides if (hand.confidence > 0).any()]

    return {
        str(name): {FrameId(int(frame)): hands(c, f) for f, frame in enumerate(frames)}
        for c, name in enumerate(cameras)
    }

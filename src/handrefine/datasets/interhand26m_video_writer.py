"""Writer of a whole new video in InterHand2.6M's layout: pictures, masks, cameras and annotations."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from jaxtyping import Bool, Float, UInt8

from handrefine.colour import linear_to_srgb8
from handrefine.datasets.interhand26m_layout import (
    JOINT_ROWS,
    LENS_KEY,
    MADE_CAPTURE,
    MADE_SEQUENCE,
    MADE_SPLIT,
    MM_PER_M,
    OBJECTS,
    PATH_KEY,
    PIXEL_CENTRE_PX,
    InterHandSource,
    annotation_path,
    image_name,
    is_grey,
)
from handrefine.datasets.interhand26m_mark import all_of_open_hand, mark_of
from handrefine.datasets.interhand26m_merge import Changes, write_json_files
from handrefine.datasets.interhand26m_things import write_things
from handrefine.datasets.interhand26m_writer import changed_joints, changed_mano, check_fit, hand_type
from handrefine.errors import InputError
from handrefine.sequence import Camera, FrameId, FrameIndex, HandAnnotation, Side, ViewKey
from handrefine.things import Thing

#: Linear RGB, or sRGB bytes, which are written as they are.
Picture = Float[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class NewVideo:
    """How a new video is written.

    lossless: 8-bit PNG instead of JPEG (quality 97, full colour resolution).
    list_every_view: data.json names every camera at every frame, also where no image is written; whoever has the
        images puts them there.
    objects: masks of things in or before the hands, by `ViewKey`. things: their meshes and poses, where known.
    links: files of images that are not written again: symbolic links stand for them.
    """

    sequence: str = MADE_SEQUENCE
    lossless: bool = False
    list_every_view: bool = False
    objects: Mapping[ViewKey, Bool[np.ndarray, "_ _"]] | None = None
    things: Sequence[Thing] = ()
    links: Mapping[ViewKey, Path] | None = None


def write_interhand26m_sequence(
    root: Path,
    cameras: Mapping[str, Camera],
    frames: Sequence[FrameId],
    images: Mapping[ViewKey, Picture],
    annotations: Mapping[Side, HandAnnotation],
    *,
    masks: Mapping[ViewKey, Bool[np.ndarray, "height width"]] | None = None,
    video: NewVideo | None = None,
) -> None:
    """Write a new video in InterHand2.6M's layout, all of it or nothing.

    Args:
        root: folder to create; it must not exist, or be empty.
        images, masks: by `ViewKey`; a missing view has no entry. They are asked for one after the other,
            so that a mapping may make them on demand.
        annotations: at the frames of `frames`.

    Raises:
        InputError: root holds something already, or the annotation does not fit the frames or is not finite.
    """
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(
            "the folder for a new dataset is not empty", where=root, fix="choose another, or remove it"
        )
    for name, camera in cameras.items():
        if camera.grey != is_grey(name):
            raise InputError("InterHand2.6M tells grey cameras by their name: 41xxxx", where=f"camera {name}")
    for annotation in annotations.values():
        check_fit(annotation, len(frames))
    video = video or NewVideo()
    suffix = ".png" if video.lossless else ".jpg"
    listed = [(FrameIndex(k), name) for k in range(len(frames)) for name in cameras]
    listed = listed if video.list_every_view else list(images)
    links = video.links or {}
    names = {
        key: image_name(
            MADE_CAPTURE, video.sequence, key[1], frames[key[0]], links[key].suffix if key in links else suffix
        )
        for key in listed
    }
    source = InterHandSource(root, MADE_SPLIT, MADE_CAPTURE, video.sequence, {})
    root.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        unfinished.chmod(0o755)
        for key in images:
            if key in links:
                path = unfinished / "images" / MADE_SPLIT / names[key]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(links[key])
                continue
            picture = images[key]
            options = {} if video.lossless else {"quality": 97, "subsampling": 0}
            pixels = picture if picture.dtype == np.uint8 else linear_to_srgb8(picture)
            _write_image(unfinished / "images" / MADE_SPLIT / names[key], pixels, **options)
        for folder, regions in (("masks", masks), (OBJECTS, video.objects)):
            for key, region in (regions or {}).items():
                path = (unfinished / folder / MADE_SPLIT / names[key]).with_suffix(".png")
                _write_image(path, region.astype(np.uint8) * 255)
        beside = unfinished / OBJECTS / MADE_SPLIT / f"Capture{MADE_CAPTURE}" / video.sequence
        write_things(beside, video.things, frames)
        documents: dict[str, dict[str, Any] | Changes] = {
            "camera": {MADE_CAPTURE: _camera_json(cameras)},
            "joint_3d": changed_joints(source, frames, annotations),
            "data": _data_json(source, names, cameras, frames, annotations),
        }
        mark: dict[Path, dict[str, str]] = {}
        if any(annotation.mano is not None for annotation in annotations.values()):
            documents["MANO_NeuralAnnot"] = changed_mano(source, frames, annotations)
            mano_file = annotation_path(unfinished, MADE_SPLIT, "MANO_NeuralAnnot")
            mark = mark_of(mano_file, open_hand=all_of_open_hand(annotations), published=False)
        paths = {annotation_path(unfinished, MADE_SPLIT, kind): d for kind, d in documents.items()}
        write_json_files({**paths, **mark})
        unfinished.replace(root)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _camera_json(cameras: Mapping[str, Camera]) -> dict[str, Any]:
    return {
        "campos": {name: (c.center_world * MM_PER_M).tolist() for name, c in cameras.items()},
        "camrot": {name: c.R_cam_world.tolist() for name, c in cameras.items()},
        "focal": {name: [c.fx, c.fy] for name, c in cameras.items()},
        "princpt": {name: [c.cx - PIXEL_CENTRE_PX, c.cy - PIXEL_CENTRE_PX] for name, c in cameras.items()},
        **({LENS_KEY: lenses} if (lenses := _lenses(cameras)) else {}),
        **({PATH_KEY: paths} if (paths := _paths(cameras)) else {}),
    }


def _paths(cameras: Mapping[str, Camera]) -> dict[str, Any]:
    def pose(camera: Camera) -> dict[str, Any]:
        return {"campos": (camera.center_world * MM_PER_M).tolist(), "camrot": camera.R_cam_world.tolist()}

    return {
        name: {str(frame): pose(camera.at(frame)) for frame in camera.path.frames}
        for name, camera in cameras.items()
        if camera.path is not None
    }


def _lenses(cameras: Mapping[str, Camera]) -> dict[str, Any]:
    lenses = {name: camera.lens for name, camera in cameras.items()}
    return {
        name: {"model": lens.model, "coefficients": list(lens.coefficients)}
        for name, lens in lenses.items()
        if lens is not None
    }


def _data_json(
    source: InterHandSource,
    names: Mapping[ViewKey, str],
    cameras: Mapping[str, Camera],
    frames: Sequence[FrameId],
    annotations: Mapping[Side, HandAnnotation],
) -> dict[str, Any]:
    """data.json: one entry a picture, and for each the hands' bounding box and valid joints."""
    images, labels = [], []
    for number, ((index, name), file_name) in enumerate(names.items()):
        camera = cameras[name].at(frames[index])
        images.append(
            {
                "id": number,
                "file_name": file_name,
                "width": camera.width,
                "height": camera.height,
                "capture": int(source.capture) if source.capture.isdecimal() else source.capture,
                "subject": "0",
                "seq_name": source.sequence,
                "camera": name,
                "frame_idx": int(frames[index]),
            }
        )
        bbox, valid = _hand_box(camera, index, annotations)
        labels.append(
            {
                "id": number,
                "image_id": number,
                "bbox": bbox,
                "joint_valid": valid.tolist(),
                "hand_type": hand_type(annotations),
                "hand_type_valid": 1,
            }
        )
    return {"images": images, "annotations": labels}


def _hand_box(
    camera: Camera, index: FrameIndex, annotations: Mapping[Side, HandAnnotation]
) -> tuple[list[float], np.ndarray]:
    """[x, y, width, height] around the projected valid joints (the whole image without any), and 42 flags."""
    valid, points = np.zeros(42, dtype=int), []
    for side, annotation in annotations.items():
        if annotation.joints_world is not None:
            flags = np.ones(21, bool) if annotation.joint_valid is None else annotation.joint_valid[index]
            valid[JOINT_ROWS[side][flags]] = 1
            points.append(annotation.joints_world[index][flags])
    uv_px = camera.pixels(np.concatenate(points or [np.zeros((0, 3))])) - PIXEL_CENTRE_PX
    if not len(uv_px) or not np.isfinite(uv_px).all():
        return [0.0, 0.0, float(camera.width), float(camera.height)], valid
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()], valid


def _write_image(path: Path, pixels: np.ndarray, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, pixels, plugin="pillow", **options)

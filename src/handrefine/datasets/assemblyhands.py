"""Reader of AssemblyHands' egocentric videos: four grey cameras on a headset that moves, both hands' joints.

Layout (github.com/facebookresearch/assemblyhands-toolkit)::

    images/ego_images_rectified/{split}/{sequence}/{camera}/{frame:06d}.jpg      free of distortion
    annotations/{split}/assemblyhands_{split}_ego_calib_{version}.json
        calibration: {sequence: {intrinsics: {camera: 3x3}, extrinsics: {frame: {camera: 3x4}}}}
    annotations/{split}/assemblyhands_{split}_joint_3d_{version}.json
        annotations: {sequence: {frame: {world_coord: 42x3, joint_valid: 42}}}, in InterHand2.6M's order

All in millimetres, extrinsics from world to camera.

The cameras move: each has a path.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.datasets.calibration import Pinhole, calibrated_camera, focal_and_centre, moving_camera
from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence
from handrefine.datasets.images import image_reader
from handrefine.datasets.interhand26m_layout import JOINT_ROWS, MM_PER_M, PIXEL_CENTRE_PX, SIDES
from handrefine.datasets.numbered_files import check_all_links, numbered_images
from handrefine.datasets.parsing import as_finite, as_numbers, as_object, require
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.io.image_files import image_header
from handrefine.io.json_stream import walk
from handrefine.sequence import (
    Camera,
    FrameId,
    HandAnnotation,
    HandSequence,
    ImageReader,
    Side,
    ViewKey,
    frame_positions,
)

IMAGES = "images/ego_images_rectified"
#: What the calibration's names of cameras end in, and folders may.
_ENDING = "_mono10bit"


def assemblyhands_sequences(root: Path) -> list[str]:
    """SPLIT/SEQUENCE of all that have images on disk."""
    found = [path for path in (root / IMAGES).glob("*/*") if path.is_dir()]
    return sorted(f"{path.parent.name}/{path.name}" for path in found)


def read_assemblyhands(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one sequence, named SPLIT/SEQUENCE or SEQUENCE; frames without any calibration or joint are left out.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers.
    """
    root = Path(root)
    name = chosen_sequence(assemblyhands_sequences(root), sequence, root / IMAGES)
    split, sequence = name.split("/")
    folders = {_bare(path.name): path for path in sorted((root / IMAGES / name).iterdir()) if path.is_dir()}
    chosen = chosen_cameras(list(folders), cameras, root / IMAGES / name)
    calibration = _annotation_file(root, split, "ego_calib")
    intrinsics, extrinsics = _calibration(calibration, sequence)
    joints = _joint_entries(_annotation_file(root, split, "joint_3d"), sequence)
    files, findings = _files({camera: folders[camera] for camera in chosen}, joints, extrinsics)
    if not follow_links:
        check_all_links(root, files.values())
    frames = tuple(sorted({frame for frame, _ in files}))
    if not frames:
        raise InputError(
            "no image has both a calibration and joints",
            where=root / IMAGES / name,
            found=f"{len(joints)} frames with joints, {len(extrinsics)} with a calibration",
        )
    rig, images = _views(files, frames, intrinsics, extrinsics, calibration)
    return HandSequence(
        name=name,
        cameras=rig,
        frames=frames,
        images=images,
        annotations=_annotations(joints, frames, f"annotations/{split}, joint_3d, {sequence}"),
        findings=tuple(findings),
    )


def _bare(name: str) -> str:
    return name.removesuffix(_ENDING)


def _annotation_file(root: Path, split: str, kind: str) -> Path:
    """The newest version of an annotation.

    Raises:
        InputError: there is none.
    """
    folder = root / "annotations" / split
    found = sorted(folder.glob(f"assemblyhands_{split}_{kind}*.json"))
    if not found:
        raise InputError(
            "an annotation is missing", where=folder, expected=f"assemblyhands_{split}_{kind}_v1-1.json"
        )
    return found[-1]


def _calibration(path: Path, sequence: str) -> tuple[dict[str, Any], dict[FrameId, dict[str, Any]]]:
    """Intrinsics by camera, and extrinsics by frame and camera; read entry by entry, the file is large."""
    intrinsics: dict[str, Any] = {}
    extrinsics: dict[FrameId, dict[str, Any]] = {}
    for place, entry in walk(path, 4):
        if len(place) == 4 and place[:2] == ("calibration", sequence):
            if place[2] == "intrinsics":
                intrinsics[_bare(str(place[3]))] = entry
            elif place[2] == "extrinsics" and re.fullmatch(r"\d{1,9}", str(place[3])):
                of = as_object(entry, f"{path}, {sequence}, extrinsics, frame {place[3]}")
                extrinsics[FrameId(int(place[3]))] = {_bare(camera): matrix for camera, matrix in of.items()}
    if not intrinsics or not extrinsics:
        raise InputError("a sequence has no calibration", where=path, found=sequence)
    return intrinsics, extrinsics


def _joint_entries(path: Path, sequence: str) -> dict[FrameId, Any]:
    """What is said of the joints, by frame."""
    found = {
        FrameId(int(place[2])): entry
        for place, entry in walk(path, 3)
        if len(place) == 3 and place[:2] == ("annotations", sequence) and re.fullmatch(r"\d{1,9}", str(place[2]))
    }
    if not found:
        raise InputError("a sequence has no joints", where=path, found=sequence)
    return found


def _files(
    folders: Mapping[str, Path], joints: Mapping[FrameId, Any], extrinsics: Mapping[FrameId, Mapping[str, Any]]
) -> tuple[dict[tuple[FrameId, str], Path], list[Finding]]:
    """The images that can be used, by frame and camera."""
    files: dict[tuple[FrameId, str], Path] = {}
    findings: list[Finding] = []
    for camera, folder in folders.items():
        images, more = numbered_images(folder, "", (".jpg", ".png"))
        used = {f: path for f, path in images.items() if f in joints and camera in extrinsics.get(f, {})}
        findings += more
        if len(used) < len(images):
            what = f"{len(images) - len(used)} of {len(images)} images have no joints or no calibration"
            findings.append(Finding("note", what, str(folder)))
        files |= {(frame, camera): path for frame, path in used.items()}
    return files, findings


def _views(
    files: Mapping[tuple[FrameId, str], Path],
    frames: tuple[FrameId, ...],
    intrinsics: Mapping[str, Any],
    extrinsics: Mapping[FrameId, Mapping[str, Any]],
    path: Path,
) -> tuple[dict[str, Camera], dict[ViewKey, ImageReader]]:
    """Every camera on its path; its size is that of its first image."""
    position = frame_positions(frames)
    headers = {camera: image_header(files[frame, camera]) for frame, camera in sorted(files, reverse=True)}
    rig: dict[str, Camera] = {}
    images: dict[ViewKey, ImageReader] = {}
    for camera, header in headers.items():
        where, own = f"{path}, {camera}", sorted(frame for frame, of in files if of == camera)
        K = as_finite(require(intrinsics, camera, f"{path}, intrinsics"), (3, 3), f"{path}, intrinsics, {camera}")
        fx, fy, cx, cy = focal_and_centre(K, f"{path}, intrinsics, {camera}")
        pinhole = Pinhole(header.width, header.height, fx, fy, cx + PIXEL_CENTRE_PX, cy + PIXEL_CENTRE_PX)
        poses = [as_finite(extrinsics[f][camera], (3, 4), f"{where}, frame {f}") for f in own]
        R, t = [Rt[:, :3] for Rt in poses], [Rt[:, 3] / MM_PER_M for Rt in poses]
        first = calibrated_camera(camera, pinhole, R[0], t[0], f"{where}, frame {own[0]}", grey=header.grey)
        rig[camera] = moving_camera(first, own, R, t, where)
        for frame in own:
            images[position[frame], camera] = image_reader(files[frame, camera], header.width, header.height)
    return rig, images


def _annotations(
    entries: Mapping[FrameId, Any], frames: tuple[FrameId, ...], where: str
) -> dict[Side, HandAnnotation]:
    """Both hands' joints in metres, 0 where they are not valid."""
    joints, valid = np.zeros((len(frames), 42, 3)), np.zeros((len(frames), 42), dtype=bool)
    for index, frame in enumerate(frames):
        here, entry = f"{where}, frame {frame}", as_object(entries[frame], where)
        world_mm = as_numbers(require(entry, "world_coord", here), (42, 3), f"{here}, world_coord")
        flags = as_finite(entry.get("joint_valid", np.ones(42)), (42,), f"{here}, joint_valid")
        # A hand that is not there has zeros for joints.
        valid[index] = (flags != 0) & np.isfinite(world_mm).all(axis=1) & (world_mm != 0).any(axis=1)
        joints[index] = np.where(valid[index, :, None], world_mm, 0.0) / MM_PER_M
    return {
        side: HandAnnotation(
            side, joints_world=joints[:, JOINT_ROWS[side]], joint_valid=valid[:, JOINT_ROWS[side]]
        )
        for side in SIDES
        if valid[:, JOINT_ROWS[side]].any()
    }


ASSEMBLYHANDS = DatasetFormat(
    name="assemblyhands",
    marks=f"{IMAGES}/, annotations/*/assemblyhands_*.json",
    recognise=lambda root: (root / IMAGES).is_dir(),
    list_sequences=assemblyhands_sequences,
    read=read_assemblyhands,
)

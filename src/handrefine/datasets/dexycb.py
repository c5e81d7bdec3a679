"""Reader of DexYCB: 8 synchronised cameras, one hand that grasps an object.

Layout (github.com/NVlabs/dex-ycb-toolkit)::

    {subject}/{sequence}/meta.yml                     serials, num_frames, extrinsics, mano_sides, mano_calib
    {subject}/{sequence}/pose.npz                     pose_m (frame, hand, 51), world frame; all 0: no hand
    {subject}/{sequence}/{serial}/color_{frame:06d}.jpg
    {subject}/{sequence}/{serial}/labels_{frame:06d}.npz    joint_3d (hand, 21, 3), camera frame; all -1: no hand;
                                                            seg (height, width): 0, 255 hand, 1 to 21 objects
    calibration/intrinsics/{serial}_{width}x{height}.yml    color: fx, fy, ppx, ppy
    calibration/extrinsics_{name}/extrinsics.yml            extrinsics: 3x4 from camera to world, by serial
    calibration/mano_{name}/mano.yml                        betas
    models/{object}/textured_simple.obj                     meshes, see `dexycb_objects`

`pose_m` is a rotation, 45 coefficients of MANO's principal components (`flat_hand_mean=False`) and a translation.
The left hand was fitted without turning the sign of its shape directions (the toolkit's issue 28). Of the labels'
`seg` the objects are read; the hand in it is no mask of ours: see docs/datasets.md.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from handrefine.datasets.calibration import Pinhole, calibrated_camera
from handrefine.datasets.dataset_format import DatasetFormat, chosen_cameras, chosen_sequence, each_by_itself
from handrefine.datasets.dexycb_objects import read_things
from handrefine.datasets.dexycb_writer import PIXEL_CENTRE_PX, DexYcbSource, write_dexycb_annotation
from handrefine.datasets.images import image_reader
from handrefine.datasets.numbered_files import check_all_links, numbered_images
from handrefine.datasets.parsing import (
    as_finite,
    as_list,
    as_size,
    read_npz_array,
    read_yaml_object,
    require,
    unused_keys,
)
from handrefine.errors import InputError
from handrefine.findings import Finding
from handrefine.io.safe_paths import within
from handrefine.sequence import (
    Camera,
    FrameId,
    HandAnnotation,
    HandSequence,
    PcaParameters,
    Side,
    frame_positions,
)
from handrefine.things import regions_of

#: What `seg` calls a hand.
HAND_SEGMENT = 255


def dexycb_sequences(root: Path) -> list[str]:
    """SUBJECT/SEQUENCE of all."""
    return sorted(path.parent.relative_to(root).as_posix() for path in root.glob("*/*/meta.yml"))


def read_dexycb(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one sequence, named SUBJECT/SEQUENCE or SEQUENCE.

    Frames without any image on disk are left out; a single image that is not there is a missing view.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers; says where.
    """
    root = Path(root)
    name = chosen_sequence(dexycb_sequences(root), sequence, root)
    folder, meta_path = root / name, root / name / "meta.yml"
    meta = read_yaml_object(meta_path)
    count = as_size(require(meta, "num_frames", str(meta_path)), f"{meta_path}, num_frames")
    listed = as_list(require(meta, "serials", str(meta_path)), f"{meta_path}, serials")
    serials = chosen_cameras([str(serial) for serial in listed], cameras, meta_path)
    calibrated, findings = _cameras(root / "calibration", serials, meta, str(meta_path))
    on_disk: dict[tuple[FrameId, str], Path] = {}
    for serial in serials:
        images, more = numbered_images(within(folder, serial, f"{meta_path}, serials"), "color_", (".jpg",))
        if not follow_links:
            check_all_links(root, images.values())
        on_disk |= {(frame, serial): path for frame, path in images.items() if frame < count}
        findings += more + [f for f in (_counted(images, count, serial, meta_path),) if f]
    position = frame_positions(frame for frame, _ in on_disk)
    frames = tuple(position)
    if not frames:
        raise InputError("none of the sequence's images is on disk", where=folder, expected="color_000000.jpg ...")
    objects = {
        (position[frame], serial): partial(_read_objects, labels, calibrated[serial])
        for frame, serial in on_disk
        if (labels := _labels_file(folder, serial, frame)).exists()
    }
    things, missing = read_things(root, folder, meta, (frames, count), follow_links=follow_links)
    return HandSequence(
        name=name,
        cameras=calibrated,
        frames=frames,
        images={
            (position[frame], serial): image_reader(path, calibrated[serial].width, calibrated[serial].height)
            for (frame, serial), path in on_disk.items()
        },
        annotations=_annotations(root, folder, meta, calibrated, frames, count),
        objects={
            **regions_of(things, ((position[frame], serial) for frame, serial in on_disk), calibrated, frames),
            **objects,
        },
        things=things,
        source=DexYcbSource(root, name),
        write_back=write_dexycb_annotation,
        official_mano=True,
        findings=(*findings, *missing),
        subject=name.split("/")[0],
    )


def _labels_file(folder: Path, serial: str, frame: FrameId) -> Path:
    return folder / serial / f"labels_{frame:06d}.npz"


def _read_objects(path: Path, camera: Camera) -> Bool[np.ndarray, "height width"]:
    """Where the labels show an object of any kind."""
    segments, where = read_npz_array(path, "seg"), f"{path}, seg"
    if segments.shape != (camera.height, camera.width) or segments.dtype.kind not in "iu":
        raise InputError(
            "a segmentation is not that of its image",
            where=where,
            expected=f"{camera.height} x {camera.width} whole numbers",
            found=f"{segments.shape}, {segments.dtype}",
        )
    return (segments > 0) & (segments != HAND_SEGMENT)


def _counted(images: Mapping[FrameId, Path], count: int, serial: str, where: Path) -> Finding | None:
    """A line where there are not as many images as the sequence has frames."""
    found = sum(frame < count for frame in images)
    told = f"{found} of {count} frames of camera {serial}"
    if len(images) > found:
        told += f", and {len(images) - found} beyond num_frames, which are not read"
    if len(images) == found == count:
        return None
    level = "note" if found and len(images) == found else "warning"
    return Finding(level, "images on disk and the number of frames differ", f"{where}, num_frames", told)


def _cameras(
    calibration: Path, serials: Sequence[str], meta: Mapping[str, Any], where: str
) -> tuple[dict[str, Camera], list[Finding]]:
    extrinsics = f"extrinsics_{require(meta, 'extrinsics', where)}"
    path = within(calibration, extrinsics, f"{where}, extrinsics", follow_links=True) / "extrinsics.yml"
    poses = require(read_yaml_object(path), "extrinsics", str(path))
    cameras, findings = {}, []
    for serial in serials:
        world_from_cam = as_finite(require(poses, serial, str(path)), (12,), f"{path}, {serial}").reshape(3, 4)
        file, width, height = _intrinsics_file(calibration / "intrinsics", serial)
        colour = require(read_yaml_object(file), "color", str(file))
        fx, fy, cx, cy = (
            as_finite(require(colour, key, str(file)), (), f"{file}, {key}").item()
            for key in ("fx", "fy", "ppx", "ppy")
        )
        findings += unused_keys(colour, ("fx", "fy", "ppx", "ppy", "width", "height"), f"{file}, color")
        for key, size in (("width", width), ("height", height)):
            if key in colour and colour[key] != size:
                raise InputError("a size contradicts the file's name", where=f"{file}, {key}", found=colour[key])
        R = world_from_cam[:, :3].T
        pinhole = Pinhole(width, height, fx, fy, cx + PIXEL_CENTRE_PX, cy + PIXEL_CENTRE_PX)
        cameras[serial] = calibrated_camera(
            serial, pinhole, R, -R @ world_from_cam[:, 3], f"{path}, {serial}; {file}"
        )
    return cameras, findings


def _intrinsics_file(folder: Path, serial: str) -> tuple[Path, int, int]:
    for path in sorted(folder.glob(f"{serial}_*x*.yml")):
        width, _, height = path.stem.removeprefix(f"{serial}_").partition("x")
        if width.isdecimal() and height.isdecimal() and max(len(width), len(height)) < 6:
            return path, int(width), int(height)
    raise InputError("a camera has no intrinsics", where=folder, expected=f"{serial}_640x480.yml")


def _annotations(
    root: Path,
    folder: Path,
    meta: Mapping[str, Any],
    cameras: Mapping[str, Camera],
    frames: tuple[FrameId, ...],
    count: int,
) -> dict[Side, HandAnnotation]:
    where = str(folder / "meta.yml")
    sides, calibrations = (as_list(require(meta, key, where), where) for key in ("mano_sides", "mano_calib"))
    if len(sides) != len(calibrations):
        raise InputError("there is not one mano_calib a hand", where=where, expected=sides, found=calibrations)
    pose_path = folder / "pose.npz"
    poses = as_finite(read_npz_array(pose_path, "pose_m"), (count, len(sides), 51), f"{pose_path}, pose_m")
    annotations: dict[Side, HandAnnotation] = {}
    for hand, (side, calibration) in enumerate(zip(sides, calibrations, strict=True)):
        if side not in ("right", "left"):
            raise InputError("a hand has an unknown side", where=where, expected="right or left", found=side)
        betas_path = within(root / "calibration", f"mano_{calibration}", where, follow_links=True) / "mano.yml"
        betas = as_finite(
            require(read_yaml_object(betas_path), "betas", str(betas_path)), (10,), f"{betas_path}, betas"
        )
        pose = poses[list(frames), hand]
        joints_world, joint_valid = _joints(folder, cameras, frames, hand, len(sides))
        annotations[side] = HandAnnotation(
            side,
            mano_valid=(pose != 0).any(axis=1),
            joints_world=joints_world,
            joint_valid=joint_valid,
            mano_pca=PcaParameters(pose[:, :48], np.tile(betas, (len(frames), 1)), pose[:, 48:]),
        )
    if not any(a.mano_valid is not None and a.mano_valid.any() for a in annotations.values()):
        raise InputError("no hand is annotated at any of these frames", where=pose_path)
    return annotations


def _joints(
    folder: Path, cameras: Mapping[str, Camera], frames: tuple[FrameId, ...], hand: int, hands: int
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (frame, 21, 3) in the world, from the first camera whose labels have them, and their validity.

    The dataset's order of joints is that of `JOINT_NAMES`.
    """
    joints_world, valid = np.zeros((len(frames), 21, 3)), np.zeros((len(frames), 21), dtype=bool)
    for index, frame in enumerate(frames):
        for serial, camera in cameras.items():
            path = _labels_file(folder, serial, frame)
            if not path.exists():
                continue
            joints_cam = as_finite(read_npz_array(path, "joint_3d"), (hands, 21, 3), f"{path}, joint_3d")[hand]
            if not (joints_cam == -1).all():
                joints_world[index] = (joints_cam - camera.t_cam_world) @ camera.R_cam_world
                valid[index] = True
                break
    return joints_world, valid


DEXYCB = DatasetFormat(
    name="dexycb",
    marks="calibration/, SUBJECT/SEQUENCE/meta.yml",
    recognise=lambda root: (root / "calibration").is_dir() and any(root.glob("*/*/meta.yml")),
    list_sequences=dexycb_sequences,
    read=read_dexycb,
    write_all=each_by_itself(write_dexycb_annotation),
)

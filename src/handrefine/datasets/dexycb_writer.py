"""Writer of a refined DexYCB annotation: the poses and labels of sequences, and the shapes that they name."""

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handrefine.datasets.parsing import as_list, read_yaml_object, require
from handrefine.datasets.writing import SourceFolder, own_folder, valid_frames
from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.files import whole_file, write_yaml
from handrefine.io.safe_paths import as_file_name
from handrefine.sequence import Camera, FrameId, HandAnnotation, HandSequence, Side

log = logging.getLogger(__name__)
#: librealsense puts a pixel's centre at whole numbers.
PIXEL_CENTRE_PX = 0.5
#: Betas that differ by less are one shape.
SAME_SHAPE = 1e-4


@dataclass(frozen=True)
class DexYcbSource(SourceFolder):
    """Which part of the dataset a sequence was read from."""

    name: str


def write_dexycb_annotation(
    sequence: HandSequence, refined: Mapping[Side, HandAnnotation], out_dir: Path
) -> list[Path]:
    """Write a sequence's `pose.npz`, the `labels_*.npz` of its refined frames, its `meta.yml`, and its shapes.

    DexYCB knows one shape of a hand for a whole sequence, and several sequences share it. A new one, the mean
    over the refined frames, gets a calibration of its own, which `meta.yml` then names; frames that were not
    refined get it as well, which a warning tells. Other frames, hands and arrays keep their bytes within their
    files.

    Returns:
        The files written.

    Raises:
        InputError: `sequence` is not from DexYCB, the annotation does not fit it or lacks coefficients of
        principal
            components, or out_dir is the dataset itself.
    """
    source = own_folder(sequence, DexYcbSource, out_dir)
    folder, out = source.root / source.name, Path(out_dir) / source.name
    meta_path = folder / "meta.yml"
    meta = read_yaml_object(meta_path)
    sides = as_list(require(meta, "mano_sides", str(meta_path)), str(meta_path))
    poses = read_npz(folder / "pose.npz")
    pose_m, calibrations = poses["pose_m"].copy(), list(as_list(meta["mano_calib"], str(meta_path)))
    written: list[Path] = []
    changed: dict[FrameId, dict[int, int]] = {}
    for side, annotation in refined.items():
        if side not in sides or annotation.mano_pca is None:
            raise InputError(
                "DexYCB wants coefficients of principal components of a hand that it has",
                where=f"{sequence.name}, {side} hand",
            )
        hand, pca = sides.index(side), annotation.mano_pca
        rows = {frame: row for row, frame in valid_frames(sequence, annotation)}
        for frame, row in rows.items():
            pose_m[frame, hand] = np.concatenate([pca.pose_pca[row], pca.trans_m[row]])
            changed.setdefault(frame, {})[hand] = row
        shapes = pca.shape[list(rows.values())]
        others = int((pose_m[:, hand] != 0).any(axis=1).sum()) - len(rows)
        old = source.root / "calibration" / f"mano_{calibrations[hand]}" / "mano.yml"
        name = f"{calibrations[hand]}_{as_file_name(source.name.replace('/', '+'))}"
        new = Path(out_dir) / "calibration" / f"mano_{name}" / "mano.yml"
        if rows and _write_shape(old, new, shapes, f"{sequence.name}, {side} hand", others):
            calibrations[hand] = name
            written.append(new)
    out.mkdir(parents=True, exist_ok=True)
    _replace_arrays(folder / "pose.npz", out / "pose.npz", {"pose_m": pose_m.astype(poses["pose_m"].dtype)})
    write_yaml(out / "meta.yml", {**meta, "mano_calib": calibrations})
    written += [out / "pose.npz", out / "meta.yml"]
    joints = {sides.index(side): of.joints_world for side, of in refined.items()}
    for frame, hands in changed.items():
        for serial, camera in sequence.cameras.items():
            label = folder / serial / f"labels_{frame:06d}.npz"
            if label.exists():
                path = out / serial / label.name
                path.parent.mkdir(exist_ok=True)
                new_joints = {h: of[row] for h, row in hands.items() if (of := joints[h]) is not None}
                _replace_arrays(label, path, _label_arrays(read_npz(label), new_joints, pose_m[frame], camera))
                written.append(path)
    return written


def _write_shape(old: Path, new: Path, shapes: np.ndarray, where: str, others: int) -> bool:
    """Write the mean of shapes if it is not the old one; whether it was written."""
    document = read_yaml_object(old)
    mean = shapes.mean(axis=0)
    if np.abs(shapes - np.asarray(document["betas"], dtype=np.float64)).max() < SAME_SHAPE:
        return False
    if (spread := float(np.abs(shapes - mean).max())) > SAME_SHAPE:
        log.warning("%s: DexYCB has one shape a sequence; betas of its clips differ by up to %.2g", where, spread)
    if others > 0:
        log.warning("%s: %d frames that keep their pose get the new shape as well", where, others)
    new.parent.mkdir(parents=True, exist_ok=True)
    write_yaml(new, {**document, "betas": mean})
    return True


def _label_arrays(
    label: Mapping[str, np.ndarray], joints: Mapping[int, np.ndarray], poses: np.ndarray, camera: Camera
) -> dict[str, np.ndarray]:
    """What changes in the labels of one image; a hand of which they say nothing stays so."""
    arrays = {name: label[name].copy() for name in ("joint_3d", "joint_2d", "pose_m") if name in label}
    for hand, world in joints.items():
        if (label["joint_3d"][hand] == -1).all():
            continue
        points = torch.as_tensor(world, dtype=torch.float64)
        arrays["joint_3d"][hand] = camera.to_camera(points).numpy()
        if "joint_2d" in arrays:
            arrays["joint_2d"][hand] = camera.project(points).numpy() - PIXEL_CENTRE_PX
        if "pose_m" in arrays:
            arrays["pose_m"][hand] = poses[hand]
    return arrays


def _replace_arrays(original: Path, path: Path, arrays: Mapping[str, Any]) -> None:
    """An `.npz` file with some of its arrays replaced; the others keep their bytes."""
    with (
        whole_file(path) as temporary,
        zipfile.ZipFile(original) as source,
        zipfile.ZipFile(temporary, "w") as target,
    ):
        for member in source.infolist():
            name = member.filename.removesuffix(".npy")
            with target.open(zipfile.ZipInfo(member.filename), "w") as file:
                if name in arrays:
                    np.lib.format.write_array(file, arrays[name], allow_pickle=False)
                else:
                    file.write(source.read(member))

"""Reader of InterHand2.6M, and of captures stored in its layout."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.data.checked import as_finite, as_numbers, as_object, as_size, read_json_object, require
from handrefine.data.dataset_format import DatasetFormat
from handrefine.data.images import image_reader, mask_reader
from handrefine.data.interhand26m_format import (
    JOINT_ROWS,
    MM_PER_M,
    PIXEL_CENTRE_PX,
    SIDES,
    InterHandSource,
    annotation_path,
    is_grey,
)
from handrefine.data.interhand26m_mark import says_open_hand
from handrefine.data.interhand26m_writer import write_interhand26m_annotation
from handrefine.errors import InputError
from handrefine.sequence import Camera, HandAnnotation, HandSequence, ManoParameters, Side

_CAMERA_FILES = "annotations/*/InterHand2.6M_*_camera.json"


def read_interhand26m(
    root: Path,
    *,
    split: str | None = None,
    capture: str | None = None,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    frames: Sequence[int] | None = None,
    refined: Path | None = None,
) -> HandSequence:
    """Read one multi-view video; images and masks are decoded only when they are asked for.

    What is not named (split, capture, sequence) is found by itself where there is one only. Instants and
    cameras without any image on disk are left out; a single image that is not there is a missing view.

    Args:
        root: folder that holds `images/` and `annotations/` (and `masks/` where there are any).
        cameras, frames: read these only; all when missing.
        refined: folder whose `annotations/` take precedence over root's, as the annotation writer leaves them.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers; says where.
    """
    root = Path(root)
    split = _the_split(root, split)
    folders = [root] if refined is None else [Path(refined), root]
    data_path = annotation_path(root, split, "data")
    entries = _image_entries(data_path)
    capture, sequence = _the_sequence(root / "images" / split, entries, capture, sequence, data_path)
    entries = [e for e in entries if str(e["capture"]) == capture and str(e["seq_name"]) == sequence]
    views = _views_on_disk(root / "images" / split, entries, cameras, frames, data_path)

    all_frames = tuple(sorted({frame for frame, _ in views}))
    sizes = _image_sizes(views, data_path)
    camera_path = annotation_path(root, split, "camera")
    camera_json = require(read_json_object(camera_path), capture, str(camera_path))
    documents = _annotation_documents(folders, split)
    mano_file = documents["MANO_NeuralAnnot"][0] if "MANO_NeuralAnnot" in documents else None
    open_hand = mano_file is not None and says_open_hand(mano_file)
    images, masks = {}, {}
    for (frame, name), entry in views.items():
        key, size = (all_frames.index(frame), name), sizes[name]
        images[key] = image_reader(root / "images" / split / entry["file_name"], *size)
        mask_path = (root / "masks" / split / entry["file_name"]).with_suffix(".png")
        if mask_path.exists():
            masks[key] = mask_reader(mask_path, *size)
    return HandSequence(
        name=f"{split}/Capture{capture}/{sequence}",
        cameras={
            name: _camera(camera_json, name, size, f"{camera_path}, capture {capture}")
            for name, size in sizes.items()
        },
        frames=all_frames,
        images=images,
        annotations=_annotations(documents, capture, all_frames, open_hand=open_hand),
        masks=masks,
        source=InterHandSource(
            root, split, capture, sequence, {kind: content for kind, (_, content) in documents.items()}, open_hand
        ),
        write_back=write_interhand26m_annotation,
        fix_left_shape=True,
        official_mano=mano_file is not None and not open_hand,
    )


def read_named_interhand26m(
    root: Path, *, sequence: str | None = None, cameras: Sequence[str] | None = None
) -> HandSequence:
    """As `read_interhand26m`, for a sequence named SEQUENCE, Capture{c}/SEQUENCE or SPLIT/Capture{c}/SEQUENCE.

    Raises:
        InputError: as `read_interhand26m`.
    """
    parts: list[str | None] = [*(sequence.split("/") if sequence else [])]
    split, capture, name = [None] * (3 - len(parts)) + parts[-3:]
    capture = None if capture is None else capture.removeprefix("Capture")
    return read_interhand26m(root, split=split, capture=capture, sequence=name, cameras=cameras)


INTERHAND26M = DatasetFormat(
    name="interhand26m",
    marks=f"{_CAMERA_FILES}, images/",
    recognise=lambda root: any(root.glob(_CAMERA_FILES)),
    read=read_named_interhand26m,
)


def _the_split(root: Path, split: str | None) -> str:
    found = sorted(path.parent.name for path in root.glob(_CAMERA_FILES))
    return _only("split", split, found, root, missing=f"no file {_CAMERA_FILES}")


def _image_entries(path: Path) -> list[Mapping[str, Any]]:
    entries = require(read_json_object(path), "images", str(path))
    if not isinstance(entries, list):
        raise InputError("a list was expected here", where=f"{path}, images", found=type(entries).__name__)
    for index, entry in enumerate(entries):
        for key in ("file_name", "width", "height", "capture", "seq_name", "camera", "frame_idx"):
            if not isinstance(entry, dict) or key not in entry:
                require(entry, key, f"{path}, images, entry {index}")
        if not str(entry["frame_idx"]).isdecimal():
            raise InputError(
                "a frame number was expected", where=f"{path}, images, entry {index}", found=entry["frame_idx"]
            )
    return entries


def _the_sequence(
    image_root: Path,
    entries: list[Mapping[str, Any]],
    capture: str | None,
    sequence: str | None,
    path: Path,
) -> tuple[str, str]:
    """Capture and sequence; those whose images were never downloaded do not count."""
    listed = {(str(e["capture"]), str(e["seq_name"])): image_root / e["file_name"] for e in entries}
    present = sorted(key for key, image in listed.items() if image.parent.parent.exists())
    if not present:
        raise InputError(
            "none of the dataset's images is on disk",
            where=image_root,
            expected=f"the files that {path} names, e.g. {entries[0]['file_name']}" if entries else None,
        )
    capture = _only("capture", capture, sorted({c for c, _ in present}), path)
    return capture, _only(
        "sequence", sequence, [s for c, s in present if c == capture], f"{path}, capture {capture}"
    )


def _only(kind: str, wanted: str | None, found: list[str], where: object, missing: str = "nothing") -> str:
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is not None and str(wanted) in found:
        return str(wanted)
    if wanted is None and found:
        raise InputError(
            f"there are several {kind}s", where=where, found=", ".join(found), fix=f"say which: {kind}=..."
        )
    raise InputError(
        f"there is no InterHand2.6M {kind}" + (f" {wanted!r}" if wanted is not None else ""),
        where=where,
        found=", ".join(found) or missing,
        fix="name the folder that holds annotations/ and images/" if not found else f"choose another {kind}",
    )


def _views_on_disk(
    image_root: Path,
    entries: list[Mapping[str, Any]],
    cameras: Sequence[str] | None,
    frames: Sequence[int] | None,
    path: Path,
) -> dict[tuple[int, str], Mapping[str, Any]]:
    """Entries of data.json by (frame number, camera), in the order of camera names."""
    listed = {(int(e["frame_idx"]), str(e["camera"])): e for e in entries}
    for kind, wanted, known in (
        ("camera", cameras, {camera for _, camera in listed}),
        ("frame", frames, {frame for frame, _ in listed}),
    ):
        unknown = [str(w) for w in wanted or () if w not in known]
        if unknown:
            raise InputError(
                f"there is no {kind} {', '.join(unknown)}", where=path, expected=", ".join(map(str, sorted(known)))
            )
    chosen = {
        (frame, camera): entry
        for (frame, camera), entry in sorted(listed.items(), key=lambda item: (item[0][1], item[0][0]))
        if (cameras is None or camera in cameras)
        and (frames is None or frame in frames)
        and (image_root / entry["file_name"]).exists()
    }
    if not chosen:
        raise InputError("none of the sequence's images is on disk", where=image_root, expected=f"as in {path}")
    return chosen


def _image_sizes(views: Mapping[tuple[int, str], Mapping[str, Any]], path: Path) -> dict[str, tuple[int, int]]:
    """(width, height) of every camera."""
    sizes: dict[str, tuple[int, int]] = {}
    for (frame, name), entry in views.items():
        where = f"{path}, frame {frame}, camera {name}"
        size = as_size(entry["width"], f"{where}, width"), as_size(entry["height"], f"{where}, height")
        if sizes.setdefault(name, size) != size:
            raise InputError("a camera's images differ in size", where=where, expected=sizes[name], found=size)
    return sizes


def _camera(capture_json: object, name: str, size: tuple[int, int], where: str) -> Camera:
    def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray:
        per_camera = require(capture_json, key, where)
        return as_finite(require(per_camera, name, f"{where}, {key}"), shape, f"{where}, {key}, camera {name}")

    R, position_m = numbers("camrot", (3, 3)), numbers("campos", (3,)) / MM_PER_M
    (fx, fy), (cx, cy) = numbers("focal", (2,)), numbers("princpt", (2,)) + PIXEL_CENTRE_PX
    try:
        return Camera(
            name, *size, float(fx), float(fy), float(cx), float(cy), R, -R @ position_m, grey=is_grey(name)
        )
    except InputError as error:
        raise InputError(error.what, where=f"{where}, camera {name}", found=error.found) from None


def _annotation_documents(folders: list[Path], split: str) -> dict[str, tuple[Path, dict[str, Any]]]:
    """joint_3d and MANO annotation with the files they come from; at least one of the two must be there."""
    documents = {}
    for kind in ("joint_3d", "MANO_NeuralAnnot"):
        path = next((p for f in folders if (p := annotation_path(f, split, kind)).exists()), None)
        if path is not None:
            documents[kind] = path, read_json_object(path)
    if not documents:
        raise InputError(
            "there is neither a joint nor a MANO annotation",
            where=annotation_path(folders[-1], split, "joint_3d").parent,
        )
    return documents


def _annotations(
    documents: Mapping[str, tuple[Path, dict[str, Any]]],
    capture: str,
    frames: tuple[int, ...],
    *,
    open_hand: bool,
) -> dict[Side, HandAnnotation]:
    """Both hands, as far as the dataset says anything of them at these instants."""
    wheres = {kind: f"{path}, capture {capture}" for kind, (path, _) in documents.items()}
    joint_3d, mano = (
        as_object(documents[kind][1].get(capture, {}), wheres[kind]) if kind in documents else {}
        for kind in ("joint_3d", "MANO_NeuralAnnot")
    )
    annotations = {}
    for side in SIDES:
        joints_world, joint_valid = _joints(joint_3d, side, frames, wheres.get("joint_3d", ""))
        parameters, mano_valid = _mano(mano, side, frames, wheres.get("MANO_NeuralAnnot", ""))
        has_joints, has_mano = bool(joint_valid.any()), bool(mano_valid.any())
        if has_joints or has_mano:
            annotations[side] = HandAnnotation(
                side,
                mano=replace(parameters, open_hand=open_hand) if has_mano else None,
                mano_valid=mano_valid if has_mano else None,
                joints_world=joints_world if has_joints else None,
                joint_valid=joint_valid if has_joints else None,
            )
    if not annotations:
        raise InputError(
            "no hand is annotated at any of these instants",
            where="; ".join(wheres.values()),
            found=f"frames {', '.join(map(str, frames[:10]))}",
        )
    return annotations


def _joints(
    capture_json: Mapping[str, Any], side: Side, frames: tuple[int, ...], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (frame, 21, 3) in metres, 0 where they are not valid, and their validity (frame, 21)."""
    joints_world = np.zeros((len(frames), 21, 3))
    valid = np.zeros((len(frames), 21), dtype=bool)
    for index, frame in enumerate(frames):
        if str(frame) not in capture_json:
            continue
        here, entry = f"{where}, frame {frame}", capture_json[str(frame)]
        coordinates = as_numbers(require(entry, "world_coord", here), (42, 3), f"{here}, world_coord")
        flags = as_finite(require(entry, "joint_valid", here), (42,), f"{here}, joint_valid")
        rows = JOINT_ROWS[side]
        valid[index] = flags[rows] != 0
        joints_world[index] = np.where(valid[index, :, None], coordinates[rows], 0.0) / MM_PER_M
        if not np.isfinite(joints_world[index]).all():
            raise InputError("a valid joint is not finite", where=f"{here}, world_coord, {side} hand")
    return joints_world, valid


def _mano(
    capture_json: Mapping[str, Any], side: Side, frames: tuple[int, ...], where: str
) -> tuple[ManoParameters, np.ndarray]:
    """MANO parameters, 0 where the dataset has none, and where it has them."""
    pose, shape, trans = (np.zeros((len(frames), n)) for n in (48, 10, 3))
    valid = np.zeros(len(frames), dtype=bool)
    for index, frame in enumerate(frames):
        here = f"{where}, frame {frame}, {side}"
        hands = as_object(capture_json.get(str(frame), {}), f"{where}, frame {frame}")
        hand = hands.get(side)
        if hand is None:
            continue
        pose[index] = as_finite(require(hand, "pose", here), (48,), f"{here}, pose")
        shape[index] = as_finite(require(hand, "shape", here), (10,), f"{here}, shape")
        trans[index] = as_finite(require(hand, "trans", here), (3,), f"{here}, trans")
        valid[index] = True
    return ManoParameters(pose, shape, trans, flat_hand_mean=False), valid

"""Reader of InterHand2.6M, and of captures stored in its layout."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handrefine.datasets.dataset_format import DatasetFormat
from handrefine.datasets.images import image_reader, mask_reader
from handrefine.datasets.interhand26m_annotations import annotation_documents, hand_annotations
from handrefine.datasets.interhand26m_index import (
    ImageEntry,
    downloaded_sequences,
    image_entries,
    image_sizes,
    splits,
    views_on_disk,
)
from handrefine.datasets.interhand26m_layout import (
    CAMERA_FILES,
    MM_PER_M,
    PIXEL_CENTRE_PX,
    InterHandSource,
    annotation_path,
    is_grey,
    is_published,
    sequence_name,
)
from handrefine.datasets.interhand26m_mark import says_open_hand
from handrefine.datasets.interhand26m_writer import write_interhand26m_annotation
from handrefine.datasets.parsing import as_finite, read_json_object, require
from handrefine.errors import InputError
from handrefine.sequence import Camera, FrameId, HandSequence, frame_positions


def read_interhand26m(
    root: Path,
    *,
    split: str | None = None,
    capture: str | None = None,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    frames: Sequence[FrameId] | None = None,
    refined: Path | None = None,
) -> HandSequence:
    """Read one multi-view video; images and masks are decoded only when they are asked for.

    What is not named (split, capture, sequence) is found by itself where there is one only. Frames and
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
    entries = image_entries(data_path)
    capture, sequence = _the_sequence(root / "images" / split, entries, capture, sequence, data_path)
    entries = [e for e in entries if str(e["capture"]) == capture and str(e["seq_name"]) == sequence]
    views = views_on_disk(root / "images" / split, entries, cameras, frames, data_path)

    position = frame_positions(frame for frame, _ in views)
    sizes = image_sizes(views, data_path)
    camera_path = annotation_path(root, split, "camera")
    camera_json = require(read_json_object(camera_path), capture, str(camera_path))
    documents = annotation_documents(folders, split)
    mano_file = documents["MANO_NeuralAnnot"][0] if "MANO_NeuralAnnot" in documents else None
    open_hand = mano_file is not None and says_open_hand(mano_file, published=is_published(capture, sequence))
    images, masks = {}, {}
    for (frame, name), entry in views.items():
        key, size = (position[frame], name), sizes[name]
        images[key] = image_reader(root / "images" / split / entry["file_name"], *size)
        mask_path = (root / "masks" / split / entry["file_name"]).with_suffix(".png")
        if mask_path.exists():
            masks[key] = mask_reader(mask_path, *size)
    return HandSequence(
        name=sequence_name(split, capture, sequence),
        cameras={
            name: _camera(camera_json, name, size, f"{camera_path}, capture {capture}")
            for name, size in sizes.items()
        },
        frames=tuple(position),
        images=images,
        annotations=hand_annotations(documents, capture, tuple(position), open_hand=open_hand),
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


def interhand26m_sequences(root: Path) -> list[str]:
    """SPLIT/Capture{c}/SEQUENCE of all that have images on disk.

    Raises:
        InputError: a list of images is missing or damaged.
    """
    return [
        sequence_name(split, capture, sequence)
        for split in splits(root)
        for capture, sequence in downloaded_sequences(
            root / "images" / split, image_entries(annotation_path(root, split, "data"))
        )
    ]


INTERHAND26M = DatasetFormat(
    name="interhand26m",
    marks=f"{CAMERA_FILES}, images/",
    recognise=lambda root: any(root.glob(CAMERA_FILES)),
    list_sequences=interhand26m_sequences,
    read=read_named_interhand26m,
)


def _the_split(root: Path, split: str | None) -> str:
    return _only("split", split, splits(root), root, missing=f"no file {CAMERA_FILES}")


def _the_sequence(
    image_root: Path,
    entries: Sequence[ImageEntry],
    capture: str | None,
    sequence: str | None,
    path: Path,
) -> tuple[str, str]:
    """Capture and sequence; those whose images were never downloaded do not count."""
    present = downloaded_sequences(image_root, entries)
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

"""Which images InterHand2.6M's data.json lists, and which of them are on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handrefine.datasets.interhand26m_layout import CAMERA_FILES
from handrefine.datasets.parsing import as_size, read_json_object, require
from handrefine.errors import InputError
from handrefine.sequence import FrameId

ImageEntry = Mapping[str, Any]


def splits(root: Path) -> list[str]:
    """The splits whose cameras are there."""
    return sorted(path.parent.name for path in root.glob(CAMERA_FILES))


def image_entries(path: Path) -> list[ImageEntry]:
    """The images of data.json, all captures and sequences.

    Raises:
        InputError: the file is missing or damaged.
    """
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


def downloaded_sequences(image_root: Path, entries: Sequence[ImageEntry]) -> list[tuple[str, str]]:
    """Capture and name of the sequences that have folders of images; what was never downloaded does not count."""
    listed = {(str(e["capture"]), str(e["seq_name"])): image_root / e["file_name"] for e in entries}
    return sorted(key for key, image in listed.items() if image.parent.parent.exists())


def views_on_disk(
    image_root: Path,
    entries: Sequence[ImageEntry],
    cameras: Sequence[str] | None,
    frames: Sequence[FrameId] | None,
    path: Path,
) -> dict[tuple[FrameId, str], ImageEntry]:
    """Entries of data.json by (frame number, camera), in the order of camera names.

    Raises:
        InputError: a wanted camera or frame is not listed, or no image is on disk.
    """
    listed = {(FrameId(int(e["frame_idx"])), str(e["camera"])): e for e in entries}
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


def image_sizes(views: Mapping[tuple[FrameId, str], ImageEntry], path: Path) -> dict[str, tuple[int, int]]:
    """(width, height) of every camera.

    Raises:
        InputError: a camera's images differ in size.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for (frame, name), entry in views.items():
        where = f"{path}, frame {frame}, camera {name}"
        size = as_size(entry["width"], f"{where}, width"), as_size(entry["height"], f"{where}, height")
        if sizes.setdefault(name, size) != size:
            raise InputError("a camera's images differ in size", where=where, expected=sizes[name], found=size)
    return sizes

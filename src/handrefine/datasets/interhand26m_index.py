"""Which images InterHand2.6M's data.json lists, and which of them are on disk.

The file of the whole dataset has gigabytes, so that it is read entry by entry; what belongs to other sequences,
and `annotations`, which nobody needs here, is never kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handrefine.datasets.interhand26m_layout import CAMERA_FILES
from handrefine.datasets.json_groups import groups_of
from handrefine.datasets.parsing import as_frame, as_size, require
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.json_stream import Span, spans
from handrefine.io.safe_paths import LinksBelow, within
from handrefine.sequence import FrameId, called

ImageEntry = Mapping[str, Any]
_KEYS = ("file_name", "width", "height", "capture", "seq_name", "camera", "frame_idx")
#: Of the published files; nobody who writes this layout must know it.
_SUBJECT = "subject"
_IMAGES = "images"


def splits(root: Path) -> list[str]:
    """The splits whose cameras are there."""
    return sorted(path.parent.name for path in root.glob(CAMERA_FILES))


@dataclass(frozen=True)
class Listing:
    """What data.json lists.

    downloaded: capture and name of all sequences that have folders of images; the others do not count.
    entries: the images of the chosen sequence; none where several could be meant.
    example: an image that is named, wherever it is.
    """

    downloaded: list[tuple[str, str]]
    entries: list[ImageEntry]
    example: str | None


def listed_images(
    path: Path, image_root: Path, capture: str | None = None, sequence: str | None = None
) -> Listing:
    """The images of one sequence, chosen by the names that are given.

    Raises:
        InputError: the file is missing or damaged, or a name leads out of the folder of images.
    """
    groups = groups_of(path, lambda: _image_spans(path))
    there: dict[tuple[str, str], bool] = {}
    for capture_found, name, example in (group.key for group in groups):
        if (capture_found, name) not in there:
            image = within(image_root, example, f"{path}, images", follow_links=True)
            there[capture_found, name] = image.parent.parent.is_dir()
    downloaded = sorted(key for key, present in there.items() if present)
    matching = [key for key in downloaded if capture in (None, key[0]) and sequence in (None, key[1])]
    entries: list[ImageEntry] = []
    if len(matching) == 1:  # else which one is meant is not known: nothing needs to be read
        for group in groups:
            if group.key[:2] == matching[0]:
                entries += [
                    {name: entry[name] for name in (*_KEYS, _SUBJECT) if name in entry}
                    for entry in group.read(path)
                ]
    return Listing(downloaded, entries, groups[0].key[2] if groups else None)


def _image_spans(path: Path) -> Iterator[tuple[tuple[str, str, str], Span]]:
    """Every image of data.json with its capture, its sequence, and the name of the first image of these."""
    found = False
    examples: dict[tuple[str, str], str] = {}
    for span in spans(path, 2):
        place, entry = span.place, span.value
        if place[:1] != (_IMAGES,):
            if found:
                return
            continue
        found = True
        if len(place) == 1 or not isinstance(place[1], int):
            if entry != []:
                raise InputError("a list was expected here", where=f"{path}, images", found=type(entry).__name__)
            continue
        where = f"{path}, images, entry {place[1]}"
        for key in _KEYS:
            if not isinstance(entry, dict) or key not in entry:
                require(entry, key, where)
        as_frame(entry["frame_idx"], where)
        of = str(entry["capture"]), str(entry["seq_name"])
        yield (*of, examples.setdefault(of, str(entry["file_name"]))), span
    if not found:
        raise InputError(f"a key is missing: {_IMAGES!r}", where=path)


def views_on_disk(
    image_root: Path,
    entries: Sequence[ImageEntry],
    wanted: tuple[Sequence[str] | None, Sequence[FrameId] | None],
    path: Path,
    *,
    follow_links: bool = False,
) -> tuple[dict[tuple[FrameId, str], ImageEntry], list[Finding]]:
    """Entries of data.json by (frame number, camera), in the order of camera names; and what is not there.

    Args:
        wanted: cameras and frames to read; all where there are none.

    Raises:
        InputError: a wanted camera or frame is not listed, a name leads out of the folder, or no image is on disk.
    """
    cameras, frames = wanted
    listed = {(as_frame(e["frame_idx"], path), str(e["camera"])): e for e in entries}
    cameras = None if cameras is None else called(cameras, {camera for _, camera in listed})
    for kind, names, known in (
        ("camera", cameras, {camera for _, camera in listed}),
        ("frame", frames, {frame for frame, _ in listed}),
    ):
        unknown = [str(w) for w in names or () if w not in known]
        if unknown:
            raise InputError(
                f"there is no {kind} {', '.join(unknown)}", where=path, expected=", ".join(map(str, sorted(known)))
            )
    chosen = {
        (frame, camera): entry
        for (frame, camera), entry in sorted(listed.items(), key=lambda item: (item[0][1], item[0][0]))
        if (cameras is None or camera in cameras) and (frames is None or frame in frames)
    }
    links = LinksBelow(image_root)
    places = {
        key: within(
            image_root,
            entry["file_name"],
            f"{path}, file_name of frame {key[0]}, camera {key[1]}",
            follow_links=follow_links,
            links=links,
        )
        for key, entry in chosen.items()
    }
    there = {key: entry for key, entry in chosen.items() if places[key].is_file()}
    if not there:
        others = _of_another_suffix(places.values())
        raise InputError(
            "none of the sequence's images is on disk",
            where=image_root,
            expected=f"as in {path}",
            found=f"files of another suffix, e.g. {others[0]}" if others else None,
        )
    findings = _missing(places, there, path) if len(there) < len(chosen) else []
    if len(listed) < len(entries):
        twice = f"{len(entries) - len(listed)} of {len(entries)}"
        findings.append(Finding("warning", "images are listed twice; the last ones count", str(path), twice))
    if cameras is None and frames is None:
        findings += _unlisted(places, path)
    return there, findings


def _missing(
    places: Mapping[tuple[FrameId, str], Path], there: Mapping[tuple[FrameId, str], ImageEntry], path: Path
) -> list[Finding]:
    """Listed images that are not on disk; a warning where a camera has none at all."""
    per_camera = Counter(camera for _, camera in there)
    without = sorted({camera for _, camera in places if not per_camera[camera]})
    partly = sorted({camera for key in places.keys() - there.keys() for camera in key[1:]} - set(without))
    found = f"{len(there)} of {len(places)} are there"
    found += f"; cameras without any: {some(without)}" if without else ""
    found += f"; some are missing of cameras {some(partly)}" if partly else ""
    others = _of_another_suffix(places[key] for key in places if key not in there)
    found += f"; files of another suffix are not read: {some(others, 3)}" if others else ""
    level = "warning" if without or others else "note"
    fix = "download or rename them" if level == "warning" else None
    return [Finding(level, "images that data.json lists are not on disk", str(path), found, fix)]


def _of_another_suffix(missing: Iterable[Path]) -> list[str]:
    """Names of files that differ from missing ones in their suffix, or in upper and lower case, only."""
    wanted: dict[Path, set[str]] = {}
    for place in missing:
        wanted.setdefault(place.parent, set()).add(place.stem.lower())
    return [
        file.name
        for folder, stems in wanted.items()
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.stem.lower() in stems
    ]


def _unlisted(places: Mapping[tuple[FrameId, str], Path], path: Path) -> list[Finding]:
    """Files beside the listed images, and folders beside theirs, that nothing names."""
    stems: dict[Path, set[str]] = {}
    for place in places.values():
        stems.setdefault(place.parent, set()).add(place.stem.lower())
    folders = stems.keys()
    extra = [
        file
        for folder in sorted(folders)
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.stem.lower() not in stems[folder] and not file.name.startswith(".")
    ]
    beside = [
        folder
        for above in sorted({folder.parent for folder in folders})
        if above.is_dir()
        for folder in sorted(above.iterdir())
        if folder.is_dir() and folder not in folders and folder.name.startswith("cam") and any(folder.iterdir())
    ]
    findings = []
    if extra:
        what, shown = "files on disk that data.json does not list are not read", some((f.name for f in extra), 3)
        findings.append(Finding("warning", what, str(path), shown))
    if beside:
        what, shown = "folders of cameras that data.json does not list are not read", some(f.name for f in beside)
        findings.append(Finding("warning", what, str(path), shown))
    return findings


def subject_of(split: str, capture: str, entries: Iterable[ImageEntry]) -> str:
    """Whose hands a sequence shows: as its images say, all alike, else whoever was captured; by split."""
    told = {str(entry[_SUBJECT]) for entry in entries if _SUBJECT in entry}
    return f"{split}/subject{told.pop()}" if len(told) == 1 else f"{split}/Capture{capture}"


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

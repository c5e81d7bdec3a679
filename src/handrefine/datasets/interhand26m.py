"""Reader of InterHand2.6M, and of captures stored in its layout."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from handrefine.datasets.calibration import Pinhole, calibrated_camera, lens_of, moving_camera
from handrefine.datasets.dataset_format import DatasetFormat
from handrefine.datasets.images import image_reader, mask_reader
from handrefine.datasets.interhand26m_annotations import annotation_files, entries_of, hand_annotations
from handrefine.datasets.interhand26m_detections import read_detections
from handrefine.datasets.interhand26m_index import (
    Listing,
    image_sizes,
    listed_images,
    splits,
    subject_of,
    views_on_disk,
)
from handrefine.datasets.interhand26m_layout import (
    CAMERA_FILES,
    CAMERA_KEYS,
    LENS_KEY,
    MM_PER_M,
    OBJECTS,
    PATH_KEY,
    PIXEL_CENTRE_PX,
    InterHandSource,
    annotation_path,
    is_grey,
    is_published,
    sequence_name,
)
from handrefine.datasets.interhand26m_mark import says_open_hand
from handrefine.datasets.interhand26m_things import read_things
from handrefine.datasets.interhand26m_writer import write_interhand26m_annotation, write_interhand26m_annotations
from handrefine.datasets.parsing import as_finite, as_frame, as_object, read_json_object, require, unused_keys
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.safe_paths import LinksBelow
from handrefine.lens import Lens
from handrefine.sequence import Camera, FrameId, HandSequence, frame_positions
from handrefine.things import regions_of


def read_interhand26m(
    root: Path,
    *,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    frames: Sequence[FrameId] | None = None,
    refined: Path | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one multi-view video; images and masks are decoded only when they are asked for.

    Frames and cameras without any image on disk are left out; a single image that is not there is a missing view.

    Args:
        root: folder that holds `images/` and `annotations/` (and `masks/` where there are any).
        sequence: SEQUENCE, Capture{c}/SEQUENCE or SPLIT/Capture{c}/SEQUENCE; what is not named is found by itself
            where there is one only.
        cameras: read these only; all when missing.
        frames: read these only; all when missing.
        refined: folder whose `annotations/` take precedence over root's, as the annotation writer leaves them.
        follow_links: read images through symbolic links that lead out of `root`.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers; says where.
    """
    root = Path(root)
    parts: list[str | None] = [*(sequence.strip("/").split("/") if sequence else [])]
    split, capture, clip = [None] * (3 - len(parts)) + parts[-3:]
    capture = None if capture is None else capture.removeprefix("Capture")
    split = _the_split(root, split)
    folders = [root] if refined is None else [Path(refined), root]
    data_path, image_root = annotation_path(root, split, "data"), root / "images" / split
    listing = listed_images(data_path, image_root, capture, clip)
    capture, clip = _the_sequence(image_root, listing, capture, clip, data_path)
    views, findings = views_on_disk(
        image_root, listing.entries, (cameras, frames), data_path, follow_links=follow_links
    )
    position = frame_positions(frame for frame, _ in views)
    sizes = image_sizes(views, data_path)
    camera_path = annotation_path(root, split, "camera")
    camera_json = require(read_json_object(camera_path), capture, str(camera_path))
    findings += unused_keys(camera_json, (*CAMERA_KEYS, LENS_KEY, PATH_KEY), f"{camera_path}, capture {capture}")
    files = annotation_files(folders, split)
    documents = {kind: entries_of(path, capture, tuple(position)) for kind, path in files.items()}
    published = is_published(capture, clip)
    open_hand = "MANO_NeuralAnnot" in files and says_open_hand(files["MANO_NeuralAnnot"], published=published)
    mask_root = root / "masks" / split
    images, masks, objects, links = {}, {}, {}, LinksBelow(root)
    beside = [of for of in ((mask_root, masks), (root / OBJECTS / split, objects)) if of[0].is_dir()]
    for (frame, name), entry in views.items():
        key, size = (position[frame], name), sizes[name]
        images[key] = image_reader(image_root / entry["file_name"], *size)
        for folder, found in beside:
            path = (folder / entry["file_name"]).with_suffix(".png")
            if path.is_file():
                if not follow_links:
                    links.check(path)
                found[key] = mask_reader(path, *size)
    things, odd = read_things(
        root / OBJECTS / split / f"Capture{capture}" / clip, position, None if follow_links else links
    )
    findings += odd + _masks_found(len(masks), len(images), mask_root / f"Capture{capture}" / clip)
    calibrated = {
        name: _camera(camera_json, name, size, f"{camera_path}, capture {capture}") for name, size in sizes.items()
    }
    return HandSequence(
        name=sequence_name(split, capture, clip),
        cameras=calibrated,
        frames=tuple(position),
        images=images,
        annotations=hand_annotations(documents, files, capture, tuple(position), open_hand=open_hand),
        masks=masks,
        objects={**regions_of(things, images, calibrated, tuple(position)), **objects},
        things=things,
        detections=read_detections(root, position, sizes),
        source=InterHandSource(root, split, capture, clip, documents, open_hand, files),
        write_back=write_interhand26m_annotation,
        fix_left_shape=True,
        official_mano="MANO_NeuralAnnot" in files and not open_hand,
        findings=tuple(findings),
        subject=subject_of(split, capture, listing.entries),
    )


def interhand26m_sequences(root: Path) -> list[str]:
    """SPLIT/Capture{c}/SEQUENCE of all that have images on disk.

    Raises:
        InputError: a list of images is missing or damaged.
    """
    return [
        sequence_name(split, capture, sequence)
        for split in splits(root)
        for capture, sequence in listed_images(
            annotation_path(root, split, "data"), root / "images" / split
        ).downloaded
    ]


INTERHAND26M = DatasetFormat(
    name="interhand26m",
    marks=f"{CAMERA_FILES}, images/",
    recognise=lambda root: any(root.glob(CAMERA_FILES)),
    list_sequences=interhand26m_sequences,
    read=read_interhand26m,
    write_all=write_interhand26m_annotations,
)


def _masks_found(found: int, images: int, folder: Path) -> list[Finding]:
    """A line where masks were given and some images have none."""
    if found == images or (not found and not folder.is_dir()):
        return []
    others = {file.suffix for file in folder.glob("cam*/*") if file.suffix != ".png"}
    told = f"masks for {found} of {images} images" + (
        f"; files ending in {some(sorted(others))}" if others else ""
    )
    fix = "name every mask as its image, with the suffix .png" if others or not found else None
    level = "warning" if others or not found else "note"
    return [Finding(level, "not every image has a mask", str(folder), told, fix)]


def _the_split(root: Path, split: str | None) -> str:
    found = splits(root)
    if split is None and len(found) > 1:
        raise InputError(
            "there are several splits", where=root, found=some(found), fix=_say(f"{found[0]}/Capture0/NAME")
        )
    return _named("split", split, found, root, f"no file {CAMERA_FILES}")


def _the_sequence(
    image_root: Path, listing: Listing, capture: str | None, sequence: str | None, path: Path
) -> tuple[str, str]:
    """Capture and sequence; those whose images were never downloaded do not count."""
    present = listing.downloaded
    if not present:
        raise InputError(
            "none of the dataset's images is on disk",
            where=image_root,
            expected=f"the files that {path} names, e.g. {listing.example}" if listing.example else None,
        )
    matching = [(c, s) for c, s in present if capture in (None, c) and sequence in (None, s)]
    if len(matching) > 1:
        names = [f"Capture{c}/{s}" for c, s in matching]
        raise InputError("there are several sequences", where=path, found=some(names), fix=_say(names[0]))
    if not matching:
        _named("capture", capture, sorted({c for c, _ in present}), path)
        _named("sequence", sequence, [f"Capture{c}/{s}" for c, s in present], path)
    return matching[0]


def _named(kind: str, wanted: str | None, found: list[str], where: object, missing: str = "nothing") -> str:
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is not None and wanted in found:
        return wanted
    raise InputError(
        f"there is no InterHand2.6M {kind}" + (f" {wanted!r}" if wanted is not None else ""),
        where=where,
        found=some(found) or missing,
        fix=f"choose another {kind}: --sequence [SPLIT/][CaptureN/]NAME"
        if found
        else "name the folder that holds annotations/ and images/",
    )


def _say(example: str) -> str:
    return f"say which, e.g. --sequence {example}"


def _camera(capture_json: object, name: str, size: tuple[int, int], where: str) -> Camera:
    def numbers(key: str, shape: tuple[int, ...]) -> np.ndarray:
        per_camera = require(capture_json, key, where)
        return as_finite(require(per_camera, name, f"{where}, {key}"), shape, f"{where}, {key}, camera {name}")

    R, position_m = numbers("camrot", (3, 3)), numbers("campos", (3,)) / MM_PER_M
    (fx, fy), (cx, cy) = numbers("focal", (2,)), numbers("princpt", (2,)) + PIXEL_CENTRE_PX
    pinhole = Pinhole(*size, float(fx), float(fy), float(cx), float(cy))
    camera = calibrated_camera(name, pinhole, R, -R @ position_m, f"{where}, camera {name}", grey=is_grey(name))
    camera = replace(camera, lens=_lens(capture_json, name, f"{where}, {LENS_KEY}, camera {name}"))
    return _on_path(camera, capture_json, f"{where}, {PATH_KEY}, camera {name}")


def _on_path(camera: Camera, capture_json: object, where: str) -> Camera:
    """The camera with its poses by frame, where a writer of ours has told that it moves."""
    paths = capture_json.get(PATH_KEY, {}) if isinstance(capture_json, dict) else {}
    if not isinstance(paths, dict) or camera.name not in paths:
        return camera
    told = as_object(paths[camera.name], where)
    poses = {as_frame(int(frame) if frame.isdecimal() else frame, where): told[frame] for frame in told}
    frames = sorted(poses)
    here = {frame: f"{where}, frame {frame}" for frame in frames}
    R = [as_finite(require(poses[f], "camrot", here[f]), (3, 3), here[f]) for f in frames]
    position_m = [as_finite(require(poses[f], "campos", here[f]), (3,), here[f]) / MM_PER_M for f in frames]
    return moving_camera(camera, frames, R, [-turn @ at for turn, at in zip(R, position_m, strict=True)], where)


def _lens(capture_json: object, name: str, where: str) -> Lens | None:
    """The lens that an import has written; the published dataset has none.

    Raises:
        InputError: it is none.
    """
    lenses = capture_json.get(LENS_KEY, {}) if isinstance(capture_json, dict) else {}
    told = lenses.get(name) if isinstance(lenses, dict) else None
    return None if told is None else lens_of(told, where)

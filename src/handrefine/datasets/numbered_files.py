"""Images that are named by the number of their frame, in a folder a camera."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from handrefine.findings import Finding, some
from handrefine.io.safe_paths import check_links
from handrefine.sequence import FrameId

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_MOST_DIGITS = 9


def numbered_images(
    folder: Path, prefix: str, suffixes: Sequence[str]
) -> tuple[dict[FrameId, Path], list[Finding]]:
    """The images `{prefix}{number}{suffix}` by their numbers, and what of a folder's other images is not read."""
    found: dict[FrameId, Path] = {}
    others, twice = [], []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        number = path.stem.removeprefix(prefix)
        named = path.stem.startswith(prefix) and number.isascii() and number.isdecimal()
        if named and path.suffix in suffixes and len(number) <= _MOST_DIGITS:
            frame = FrameId(int(number))
            if frame in found:
                twice.append(path.name)
            else:
                found[frame] = path
        elif path.suffix.lower() in _PICTURES and (named or not prefix):
            others.append(path.name)
    findings = []
    if others:
        what, expected = "images are not read", f"{prefix}NUMBER with the suffix {' or '.join(suffixes)}"
        findings.append(Finding("warning", what, str(folder), some(others, 3), f"name them {expected}"))
    if twice:
        findings.append(Finding("warning", "images of the same number are not read", str(folder), some(twice, 3)))
    return found, findings


def numbered_images_of_cameras(
    folders: Mapping[str, Path], suffixes: Sequence[str]
) -> tuple[dict[tuple[FrameId, str], Path], list[Finding]]:
    """The images `{number}{suffix}` in every camera's folder by frame number and camera, and what is not read."""
    files: dict[tuple[FrameId, str], Path] = {}
    findings: list[Finding] = []
    for camera, folder in folders.items():
        images, more = numbered_images(folder, "", suffixes)
        files |= {(frame, camera): path for frame, path in images.items()}
        findings += more
    return files, findings


def check_all_links(root: Path, paths: Iterable[Path]) -> None:
    """Raises:
    InputError: a symbolic link leads out of the dataset.
    """
    for path in paths:
        check_links(root, path)

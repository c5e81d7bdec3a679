"""Which files of a run folder a run has written: those alone may be replaced, all others there are the user's.

The hidden file `.handrefine` lists them, as paths relative to its own folder. A folder within the run that holds
such a list itself (a hand's in a run of several) and was written with the outer run is asked for its own, too.
Folders of earlier versions hold a plain text in its place: there the names that a run gives are taken for a run's.
A demo's dataset was written by handrefine, too, but only another demo, which brings its own, takes its place.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from handrefine.errors import InputError
from handrefine.io.files import write_json
from handrefine.io.text_files import read_json
from handrefine.runs.layout import DEMO_DATA, MARKER
from handrefine.runs.owner import Owner

#: What earlier versions called their files, for folders without a list; `handrefine.runs.layout` names today's.
_IN_RUN = (
    MARKER,
    *(
        "config.yaml",
        "log.jsonl",
        "metrics.json",
        "warnings.json",
        "annotation.npz",
        "cameras.json",
        "colour.json",
    ),
    *("environment.exr", "environment.json", "loss.png", "overview.png", "texture.png", "texture_seen.png"),
    *("textures/*.png", "texture_stages/*.png", "overlays/frame*_cam*.png", "views/frame*_cam*_*.png"),
    *("views/views.json", "holdout.json", "holdout/frame*_cam*.png", "report.html"),
    "dataset/annotations/*/InterHand2.6M_*.json",
)
_IN_DEMO_DATA = (
    "truth.npz",
    "annotations/test/InterHand2.6M_test_*.json",
    "images/test/Capture0/synthetic/cam*/image*.jpg",
    "masks/test/Capture0/synthetic/cam*/image*.png",
)
#: At any depth of these folders of the demo and of several hands.
_OF_EARLIER_VERSIONS = tuple(
    PurePosixPath(within + name)
    for within in ("", "right/", "left/", "run/", "run/right/", "run/left/")
    for name in _IN_RUN
) + tuple(PurePosixPath(DEMO_DATA, name) for name in _IN_DEMO_DATA)


def mark(folder: Path) -> None:
    """Say of a new folder that this process fills it; `write_manifests` says later with what."""
    _write(folder, None, {"owner": asdict(Owner.this_process())})


def write_manifests(folder: Path) -> None:
    """List every file below a folder that was filled by one run, and below each marked folder within."""
    for marker in sorted(folder.rglob(MARKER)):
        _write(marker.parent, sorted(path.as_posix() for path in _files(marker.parent)))


def note_written(folder: Path, name: str) -> None:
    """Add a file that was written into a finished run folder; nothing happens where there is no list."""
    listed = _listed(folder)
    if listed is not None and name not in listed:
        _write(folder, sorted({*listed, name}))


def written_files(folder: Path) -> set[PurePosixPath]:
    """What a run has written and is still there, relative to the folder; nothing where there is no mark."""
    if not (folder / MARKER).is_file():
        return set()
    listed = _listed(folder)
    own = {p for p in _files(folder) if (_of_earlier_version(p) if listed is None else p.as_posix() in listed)}
    for marker in [p for p in own if p.name == MARKER and len(p.parts) > 1]:
        own |= {marker.parent / path for path in written_files(folder / marker.parent)}
    return own | {PurePosixPath(MARKER)}


def clashes(old: Path, new: Path) -> list[str]:
    """What no run wrote in `old` and stands where `new` holds something."""
    own = _replaced_by(new, old)
    taken = [
        path
        for path in _foreign(old, new, own)
        if os.path.lexists(new / path) or any(os.path.isfile(new / above) for above in path.parents)
    ]
    return [path.as_posix() for path in taken]


def hand_over(old: Path, new: Path) -> None:
    """Move what no run wrote from `old` to its place in `new`, then remove `old`.

    Interrupted, it can be repeated: `old` loses its mark last.

    Raises:
        OSError: something cannot be moved; it stays where it is.
    """
    own = _replaced_by(new, old)
    for path in list(_foreign(old, new, own)):
        if os.path.lexists(new / path):
            raise FileExistsError(f"there is a {path} already")
        (new / path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(old / path, new / path)
    for path in sorted(own - {PurePosixPath(MARKER)}, key=lambda path: path.name == MARKER):
        (old / path).unlink()
    for folder, _, _ in os.walk(old, topdown=False):
        if Path(folder) != old:
            os.rmdir(folder)
    (old / MARKER).unlink()
    old.rmdir()


def _replaced_by(new: Path, old: Path) -> set[PurePosixPath]:
    """What goes when `new` takes the place of `old`: what a run has written, but no dataset if `new` has none."""
    own, data = written_files(old), PurePosixPath(DEMO_DATA)
    return own if (new / data).exists() else {path for path in own if data not in path.parents}


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """All files and links below a folder, relative to it; links are not followed."""
    for at, folders, files in os.walk(folder):
        relative = PurePosixPath(Path(at).relative_to(folder).as_posix())
        yield from (relative / name for name in files)
        yield from (relative / name for name in folders if os.path.islink(os.path.join(at, name)))


def _foreign(old: Path, new: Path, own: set[PurePosixPath]) -> Iterator[PurePosixPath]:
    """What no run wrote: files, links, and whole folders, unless a folder must be merged with one of `new`."""
    shared = {above for path in own for above in path.parents}
    waiting = [PurePosixPath()]
    while waiting:
        at = waiting.pop()
        for entry in sorted(os.scandir(old / at), key=lambda entry: entry.name):
            path = at / entry.name
            if entry.is_dir(follow_symlinks=False) and (path in shared or (new / path).is_dir()):
                waiting.append(path)
            elif path not in own:
                yield path


def _of_earlier_version(path: PurePosixPath) -> bool:
    return any(
        len(path.parts) == len(known.parts) and all(map(fnmatchcase, path.parts, known.parts))
        for known in _OF_EARLIER_VERSIONS
    )


def _listed(folder: Path) -> set[str] | None:
    """The folder's list; None where there is none (a run that never ended, an earlier version) or it is broken."""
    try:
        content = read_json(folder / MARKER)
        return None if content["files"] is None else set(map(str, content["files"]))
    except (InputError, OSError, ValueError, TypeError, KeyError):
        return None


def _write(folder: Path, files: list[str] | None, further: Mapping[str, object] = MappingProxyType({})) -> None:
    write_json(folder / MARKER, {"about": "This folder was written by handrefine.", "files": files, **further})

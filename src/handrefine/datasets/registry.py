"""The layouts that can be read: those below, and those that installed packages bring.

A package brings a reader by an entry point of the group `handrefine.readers` that names a `DatasetFormat`.
"""

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from handrefine.datasets.arctic import ARCTIC
from handrefine.datasets.assemblyhands import ASSEMBLYHANDS
from handrefine.datasets.dataset_format import DatasetFormat
from handrefine.datasets.dexycb import DEXYCB
from handrefine.datasets.hanco import HANCO
from handrefine.datasets.ho3d import HO3D
from handrefine.datasets.interhand26m import INTERHAND26M
from handrefine.errors import InputError
from handrefine.sequence import HandSequence

log = logging.getLogger(__name__)

BUILT_IN: tuple[DatasetFormat, ...] = (INTERHAND26M, DEXYCB, HANCO, HO3D, ASSEMBLYHANDS, ARCTIC)
ENTRY_POINTS = "handrefine.readers"
AUTO = "auto"


def dataset_formats() -> Mapping[str, DatasetFormat]:
    """All formats by name. An installed reader that cannot be loaded is left out, with a warning.

    Raises:
        InputError: two readers have the same name.
    """
    formats = {built_in.name: built_in for built_in in BUILT_IN}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            found = entry.load()
        except Exception as error:  # whatever a foreign module does when it is imported
            log.warning("the reader %s (%s) cannot be loaded: %s", entry.name, entry.value, error)
            continue
        if not isinstance(found, DatasetFormat):
            log.warning("the reader %s (%s) is no DatasetFormat, but %s", entry.name, entry.value, type(found))
            continue
        if found.name in (*formats, AUTO):
            raise InputError(
                f"two readers are called {found.name!r}", where=f"entry point {entry.name} = {entry.value}"
            )
        formats[found.name] = found
    return formats


def read_dataset(
    root: Path,
    *,
    format: str = AUTO,
    sequence: str | None = None,
    cameras: Sequence[str] | None = None,
    follow_links: bool = False,
) -> HandSequence:
    """Read one multi-view video in any known layout; see `Reader` for the arguments.

    Args:
        format: name of the layout; `auto` recognises it by the folder's files.

    Raises:
        InputError: the layout is not known or not clear, or as the reader.
    """
    root = Path(root)
    links: dict[str, Any] = {"follow_links": True} if follow_links else {}
    return dataset_format(root, format).read(root, sequence=sequence, cameras=cameras, **links)


def list_sequences(root: Path, format: str = AUTO) -> list[str]:
    """The names of the sequences in a dataset's folder, each as `read_dataset` takes it.

    Raises:
        InputError: the layout is not known or not clear, or a list of the dataset is damaged.
    """
    root = Path(root)
    return dataset_format(root, format).list_sequences(root)


def dataset_format(root: Path, name: str = AUTO) -> DatasetFormat:
    """The layout of that name, or the one that the folder has.

    Raises:
        InputError: the layout is not known or not clear.
    """
    formats = dataset_formats()
    if name == AUTO:
        return _recognised(root, formats)
    if name not in formats:
        raise InputError(
            f"there is no reader {name!r}",
            where="--format",
            expected=", ".join((AUTO, *formats)),
            fix=f"install the package that brings it (entry point group {ENTRY_POINTS})",
        )
    return formats[name]


def _recognised(root: Path, formats: Mapping[str, DatasetFormat]) -> DatasetFormat:
    if not root.is_dir():
        raise InputError("the dataset's folder does not exist", where=root)
    matching = [candidate for candidate in formats.values() if candidate.recognise(root)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(
            "the folder could be of several layouts",
            where=root,
            found=", ".join(candidate.name for candidate in matching),
            fix="say which: --format NAME",
        )
    known = "; ".join(f"{candidate.name}: {candidate.marks}" for candidate in formats.values())
    raise InputError(
        "the layout of the dataset is not known",
        where=root,
        expected=known,
        fix="name the dataset's own folder, or say which it is: --format NAME",
    )

"""What handrefine must know of a dataset's layout: how to recognise it, what it holds, and how to read it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from handrefine.errors import InputError
from handrefine.sequence import HandSequence, RefinedSequence, WriteBack, called


@runtime_checkable
class Reader(Protocol):
    """Reads one multi-view video below a dataset's folder.

    Args:
        root: the dataset's folder.
        sequence: name of the video, as `HandSequence.name` spells it, or the end of that name; None where there is
            one only.
        cameras: read these cameras only; all when missing.
        follow_links: read images through symbolic links that lead out of `root`; given only where it is asked for,
            so that a reader may lack it.

    Raises:
        InputError: the dataset is missing, ambiguous, damaged or holds impossible numbers; says where.
    """

    def __call__(
        self, root: Path, *, sequence: str | None = None, cameras: Sequence[str] | None = None
    ) -> HandSequence: ...


#: See `DatasetFormat.write_all`.
WriteAll = Callable[[Iterable[RefinedSequence], Path], list[Path]]


def each_by_itself(write: WriteBack) -> WriteAll:
    """The writer of many sequences of a layout in which every sequence has files of its own."""

    def write_all(refined: Iterable[RefinedSequence], out: Path) -> list[Path]:
        return [path for sequence, annotations in refined for path in write(sequence, annotations, out)]

    return write_all


@dataclass(frozen=True)
class DatasetFormat:
    """A layout that `handrefine` can read.

    name: what `--format` calls it.
    marks: the files by which it is recognised, in words.
    recognise: whether a folder has this layout, by the presence of files; must not read much.
    list_sequences: the names of the sequences in a folder, sorted, each as `read` takes it; none where there is
        nothing to read.
    write_all: writes the refined annotation of many of its sequences in the dataset's own files below a folder,
    each
        file once, and returns the files: all that hold a refined entry, to be laid over the dataset. What the
        annotation marks as not valid stays as it was. None where there is no writer.
    """

    name: str
    marks: str
    recognise: Callable[[Path], bool]
    list_sequences: Callable[[Path], list[str]]
    read: Reader
    write_all: WriteAll | None = None


def chosen_sequence(found: Sequence[str], wanted: str | None, where: Path) -> str:
    """The one name among `found` that is wanted: in full or its last parts; the only one where none is wanted.

    Raises:
        InputError: there is no such sequence, or there are several.
    """
    wanted = None if wanted is None else wanted.strip("/")
    matching = [name for name in found if wanted is None or f"/{name}".endswith(f"/{wanted}")]
    if len(matching) == 1:
        return matching[0]
    shown = ", ".join((matching or list(found))[:8]) + (" ..." if len(matching or found) > 8 else "")
    raise InputError(
        "there are several sequences" if matching else f"there is no sequence {wanted or ''}".strip(),
        where=where,
        found=shown or "none",
        fix=f"say which, e.g. --sequence {(matching or list(found))[0]}"
        if found
        else "name the dataset's own folder",
    )


def chosen_cameras(found: Sequence[str], wanted: Sequence[str] | None, where: object) -> list[str]:
    """The wanted cameras, as `called` understands their names; all where none are named.

    Raises:
        InputError: one of them is not there.
    """
    meant = list(found) if wanted is None else called(wanted, found)
    if unknown := [name for name in meant if name not in found]:
        raise InputError(f"there is no camera {', '.join(unknown)}", where=where, expected=", ".join(found))
    return meant

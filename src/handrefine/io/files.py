"""Files are written whole or not at all; results as what JSON and YAML can hold."""

import errno
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import yaml


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, with its suffix; it takes `path`'s place if the block ends well.

    If the block fails, whatever was at `path` stays and the temporary file goes. The content is on the disk before
    it has the name, so that not even a power cut leaves half a file under it.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_json(path: Path, value: object) -> None:
    """As `write_json`; what cannot be kept is no fault, since it is found again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)


def open_file(path: Path) -> BinaryIO:
    """Open a file to read its bytes, if it is one: a pipe may block for ever, and a device never end.

    Raises:
        OSError: it is none, or cannot be read.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115  (the caller closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "a pipe or a device is no file", str(path))
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def to_disk(path: Path) -> None:
    """Wait until a file's content, or on POSIX a folder's list of names, is on the disk.

    Raises:
        OSError: it cannot be written there, e.g. because the disk is full.
    """
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tree_to_disk(folder: Path) -> None:
    """The same of all files and folders below one, itself included.

    Raises:
        OSError: as `to_disk`.
    """
    for at, _, names in os.walk(folder, topdown=False):
        for name in names:
            to_disk(Path(at, name))
        to_disk(Path(at))


def write_json(path: Path, value: object) -> None:
    """Write strict JSON: numbers that are not finite become null."""
    text = json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_yaml(path: Path, value: object) -> None:
    """Write YAML in the order of the given mapping; numbers that are not finite become null."""
    text = yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: object) -> object:
    """The same value in dictionaries, lists, strings, numbers and None only.

    Arrays and tensors of any library become nested lists; NaN and the infinities become None, because JSON
    has no word for them. Mapping keys become strings.

    Raises:
        TypeError: there is no such form of the value.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return plain(to_list())
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")

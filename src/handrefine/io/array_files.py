"""The one reader of `.npz` archives and `.npy` files: plain numbers and text, within a limit, nothing of pickle.

NumPy's own reader believes what a file says of itself: a header of a few bytes reserves memory for any shape. Here
the archive's directory, every header and every size are compared with the bytes that are there before memory is
taken. Neither object arrays nor structured types, encrypted entries or other compressions are read.
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from handrefine.errors import InputError
from handrefine.io.files import open_file

#: All arrays of one file together, unpacked, where no more is asked for.
MAX_BYTES = 2**29
#: The directory of an archive; 20 thousand entries.
MAX_DIRECTORY_BYTES = 2**20
_MAX_DIMENSIONS, _MAX_HEADER = 32, 2**16
_TYPE = re.compile(r"'descr'\s*:\s*'([<>|=]?)([biufUS])(\d{1,7})'")
_ORDER = re.compile(r"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(r"'shape'\s*:\s*\(((?:\s*\d{1,18}L?\s*,?)*)\s*\)")
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}
_CHUNK = 2**22
_FAULTS = (
    *(OSError, ValueError, EOFError, RuntimeError, NotImplementedError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


def read_npz(
    path: Path, names: Sequence[str] | None = None, *, max_bytes: int = MAX_BYTES
) -> dict[str, np.ndarray]:
    """The arrays of an archive by their names, in the machine's own byte order.

    Args:
        names: read these only; all when missing. One that is not there is left out.
        max_bytes: of all arrays together, unpacked.

    Raises:
        InputError: the file is missing, damaged or too large, or holds anything but plain arrays.
    """
    try:
        with open_file(path) as raw, _archive(raw) as archive:
            found = _entries(archive)
            wanted = {name: info for name, info in found.items() if names is None or name in names}
            if sum(info.file_size for info in wanted.values()) > max_bytes:
                raise ValueError(f"its arrays have more than {max_bytes} bytes")
            arrays: dict[str, np.ndarray] = {}
            for name, info in wanted.items():
                with archive.open(info) as file:
                    arrays[name] = _array(file, info.file_size, info.filename)
            return arrays
    except FileNotFoundError:
        raise InputError("a file is missing", where=path) from None
    except _FAULTS as error:
        raise _damaged("a file is damaged, or no archive of plain arrays", path, error) from error


def read_npy(path: Path, *, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """The array of a file, in the machine's own byte order.

    Raises:
        InputError: the file is missing, damaged or too large, or holds anything but a plain array.
    """
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size > max_bytes:
                raise ValueError(f"it has more than {max_bytes} bytes")
            return _array(file, size, path.name)
    except FileNotFoundError:
        raise InputError("a file is missing", where=path) from None
    except _FAULTS as error:
        raise _damaged("a file is damaged, or no array of plain numbers", path, error) from error


def _damaged(what: str, path: Path, error: Exception) -> InputError:
    return InputError(what, where=path, found=str(error) or type(error).__name__, fix="download or copy it again")


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive in a file, unless its list of entries alone would fill the memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 2**16 - 22 - 76))
    tail = file.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) - end < 22:
        raise zipfile.BadZipFile("it is no archive, or ends too early")
    directory_bytes = struct.unpack_from("<L", tail, end + 12)[0]
    if end >= 76 and tail[end - 20 : end - 16] == b"PK\6\7":  # 2 GiB and more, as checkpoints may have: 64 bits
        directory_bytes = max(directory_bytes, struct.unpack_from("<Q", tail, end - 36)[0])
    if directory_bytes > MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("it has too many entries")
    return zipfile.ZipFile(file)


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if info.flag_bits & 1:
            raise ValueError(f"the entry {info.filename!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"the entry {info.filename!r} is compressed in an unknown way")
        if name == info.filename:
            raise ValueError(f"the entry {info.filename!r} is no array")
        if name in entries:
            raise ValueError(f"the entry {info.filename!r} is there twice")
        entries[name] = info
    return entries


def _array(file: IO[bytes] | zipfile.ZipExtFile, size: int, name: str) -> np.ndarray:
    """size: of everything that is in the file, header included."""
    header, header_bytes = _header(file, name)
    dtype, shape, order = _described(header, name)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes != size - header_bytes:
        raise ValueError(f"{name!r}: {shape} of {dtype} are not {size - header_bytes} bytes")
    flat = _read(file, n_bytes, name)
    if dtype.kind == "b":  # NumPy relies on bytes of 0 and 1
        return (flat != 0).reshape(shape, order=order)
    if dtype.kind == "U" and n_bytes:
        characters = flat.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if (characters > 0x10FFFF).any() or ((characters >= 0xD800) & (characters < 0xE000)).any():
            raise ValueError(f"{name!r} holds text that is none")
    if not n_bytes:
        return np.zeros(shape, dtype.newbyteorder("="), order=order)
    return flat.view(dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape, order=order)


def _read(file: IO[bytes] | zipfile.ZipExtFile, n_bytes: int, name: str) -> np.ndarray:
    """Exactly so many bytes, and the end of the entry, where its checksum is compared."""
    flat = np.empty(n_bytes, np.uint8)
    done = 0
    while done < n_bytes:
        piece = file.read(min(_CHUNK, n_bytes - done))
        if not piece:
            raise EOFError(f"{name!r} ends too early")
        flat[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)
    if file.read(1):
        raise ValueError(f"{name!r} is longer than it says")
    return flat


def _header(file: IO[bytes] | zipfile.ZipExtFile, name: str) -> tuple[str, int]:
    """The text of a `.npy` header, and how many bytes it takes with what stands before it."""
    start = file.read(8)
    if len(start) < 8 or not start.startswith(b"\x93NUMPY") or start[6] not in (1, 2):
        raise ValueError(f"{name!r} is no array of a known version")
    length_bytes = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > _MAX_HEADER:
        raise ValueError(f"{name!r} has a header of {length} bytes")
    return file.read(length).decode("latin1"), 8 + length_bytes + length


def _described(header: str, name: str) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"]]:
    """Type, shape and order of an array; read by pattern, since a header is a Python expression."""
    found = [pattern.search(header) for pattern in (_TYPE, _ORDER, _SHAPE)]
    if any(match is None for match in found) or header.count("'descr'") != 1:
        raise ValueError(f"{name!r} holds something else than plain numbers or text: {header.strip()[:100]}")
    (order, kind, size), fortran, sizes = (match.groups() for match in found if match is not None)
    if int(size) not in _SIZES.get(kind, (int(size),)):
        raise ValueError(f"{name!r} has an unknown type of number: {kind}{size}")
    shape = tuple(int(n) for n in sizes[0].replace("L", "").split(",") if n.strip())
    if len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"{name!r} has {len(shape)} dimensions")
    return np.dtype(f"{order}{kind}{size}"), shape, "F" if fortran[0] == "True" else "C"

"""JSON, YAML (OpenCV's own included), TOML and npz files as mappings and lists; nothing in them runs code."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.errors import InputError
from handrefine.io.array_files import read_npy, read_npz
from handrefine.io.text_files import read_json, read_text, read_yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

ENDINGS = (".json", ".yaml", ".yml", ".npz", ".npy", ".toml")


def read_structured(path: Path) -> Any:
    """The content by the file's ending; OpenCV's matrices and npz arrays as arrays.

    Raises:
        InputError: it is missing, damaged, or of another kind.
    """
    readers = {
        ".json": read_json,
        ".npz": read_npz,
        ".npy": read_npy,
        ".toml": _toml,
        ".yaml": read_yaml,
        ".yml": read_yaml,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("a calibration file has an unknown ending", where=path, expected=", ".join(ENDINGS))
    return _with_matrices(reader(path))


def marks(path: Path, *endings: str) -> Mapping[str, Any]:
    """The mapping that such a file holds, by which a format is recognised; empty where there is none to read."""
    if not path.is_file() or path.suffix.lower() not in endings:
        return {}
    try:
        content = read_structured(path)
    except InputError:
        return {}
    return content if isinstance(content, Mapping) else {}


def _toml(path: Path) -> Any:
    try:
        return tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("a file is not valid TOML", where=path, found=error) from error


def _with_matrices(value: Any) -> Any:
    """Mappings of rows, cols (or sizes) and data, as OpenCV writes matrices, become arrays."""
    if isinstance(value, Mapping):
        matrix = _matrix(value)
        return {key: _with_matrices(item) for key, item in value.items()} if matrix is None else matrix
    if isinstance(value, list):
        return [_with_matrices(item) for item in value]
    return value


def _matrix(value: Mapping[Any, Any]) -> np.ndarray | None:
    """What OpenCV would have written so; None where it is none: an entry that nobody uses is no damage."""
    if not ("data" in value and ({"rows", "cols"} <= set(value) or "sizes" in value)):
        return None
    try:
        data = np.asarray(value["data"], np.float64)
        shape = tuple(int(n) for n in value.get("sizes", (value.get("rows"), value.get("cols"))))
    except (ValueError, TypeError, OverflowError):
        return None
    return data.reshape(shape) if data.size == math.prod(shape) and min(shape, default=0) > 0 else data

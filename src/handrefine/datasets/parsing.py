"""JSON, YAML, npz and text of unknown quality to values of known shape; every complaint names file and place."""

import json
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import yaml
from jaxtyping import Float

from handrefine.errors import InputError


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises:
    InputError: the file is missing, does not parse, or holds no object at its top.
    """
    return as_object(read_json(path), str(path))


def read_json(path: Path) -> object:
    """Raises:
    InputError: the file is missing or does not parse.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("a file of the dataset is missing", where=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "a file is not valid JSON", where=path, found=error, fix="download or copy it again"
        ) from error


class _PlainLoader(yaml.SafeLoader):
    """YAML's own types, and Python's tuples as lists: PyYAML's `dump` writes the latter by a tag of their own.

    What stands in a tuple is read by the same rules, so that no tag can name anything but data.
    """

    yaml_constructors = {  # noqa: RUF012  # as PyYAML spells it
        **yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:python/tuple": lambda loader, node: loader.construct_sequence(node, deep=True),
    }


def read_yaml_object(path: Path) -> dict[str, Any]:
    """Raises:
    InputError: the file is missing, does not parse, asks for anything but data, or holds no mapping at its top.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except FileNotFoundError:
        raise InputError("a file of the dataset is missing", where=path) from None
    except yaml.constructor.ConstructorError as error:
        raise InputError(
            "a YAML file asks for something that is not data",
            where=path,
            found=error,
            expected="numbers, text, lists and mappings only",
            fix="use the file as its makers published it",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            "a file is not valid YAML", where=path, found=error, fix="download or copy it again"
        ) from error
    return as_object(content, str(path))


def read_npz_array(path: Path, name: str) -> np.ndarray:
    """Raises:
    InputError: the file is missing, damaged, lacks the array, or the array could run code.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]
    except FileNotFoundError:
        raise InputError("a file of the dataset is missing", where=path) from None
    except KeyError:
        raise InputError("an array is missing", where=path, expected=name) from None
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error, AttributeError, TypeError) as error:
        # A lone .npy array is neither a context manager nor an archive, hence the last two.
        raise InputError("a file is damaged", where=path, found=error, fix="download or copy it again") from error


def read_text_numbers(path: Path) -> np.ndarray:
    """Numbers separated by white space, as `numpy.savetxt` writes them.

    Raises:
        InputError: the file is missing or holds something else.
    """
    try:
        return np.loadtxt(path)
    except FileNotFoundError:
        raise InputError("a file of the dataset is missing", where=path) from None
    except ValueError as error:
        raise InputError("a file does not hold numbers", where=path, found=error) from error


def as_object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError("a JSON object was expected here", where=where, found=type(value).__name__)
    return value


def as_list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError("a list was expected here", where=where, found=type(value).__name__)
    return value


def require(mapping: object, key: object, where: str) -> Any:
    """`mapping[str(key)]`, or an error that names the missing key and those that are there."""
    content = as_object(mapping, where)
    if str(key) not in content:
        shown = ", ".join(list(content)[:8]) + (" ..." if len(content) > 8 else "")
        raise InputError(f"a key is missing: {str(key)!r}", where=where, found=shown or "no key at all")
    return content[str(key)]


def as_numbers(value: object, shape: tuple[int, ...], where: str) -> Float[np.ndarray, "..."]:
    """Float64 array of exactly `shape`; only where a vector is expected may the numbers be nested otherwise."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError("numbers were expected here", where=where, expected=_times(shape)) from None
    if numbers.size != np.prod(shape) or (len(shape) > 1 and numbers.shape != shape):
        raise InputError(
            "an array has the wrong shape", where=where, expected=_times(shape), found=_times(numbers.shape)
        )
    return numbers.reshape(shape)


def as_finite(value: object, shape: tuple[int, ...], where: str) -> Float[np.ndarray, "..."]:
    """As `as_numbers`, without NaN or infinity."""
    numbers = as_numbers(value, shape, where)
    if not np.isfinite(numbers).all():
        raise InputError("a value is not a finite number (NaN or infinity)", where=where)
    return numbers


def as_size(value: object, where: str) -> int:
    if not isinstance(value, int | float) or value != int(value) or value <= 0:
        raise InputError("a positive whole number was expected here", where=where, found=value)
    return int(value)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) + " numbers" if shape else "a single number"

"""JSON, YAML, npz and text of unknown quality to values of known shape; every complaint names file and place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Float

from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.array_files import read_npz
from handrefine.io.text_files import read_json, read_text, read_yaml
from handrefine.sequence import FrameId

#: Numbers of a calibration that say how pixels depart from a pinhole's.
DISTORTION = re.compile(
    r"dist|skew|radial|tangential|fisheye|omnidir|kannala|brown|(^|_)(k|p)[1-8]?$|^kc?$|^coeff", re.IGNORECASE
)
#: No length, angle or pixel of a dataset comes near this, in any unit; single precision holds its square.
LARGEST = 1e12
_MOST_FRAMES, _MOST_SIZE = 10**8, 10**6


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises:
    InputError: the file is missing, does not parse, or holds no object at its top.
    """
    return as_object(read_json(path), str(path))


def read_yaml_object(path: Path) -> dict[str, Any]:
    """Raises:
    InputError: the file is missing, does not parse, asks for anything but data, or holds no mapping at its top.
    """
    return as_object(read_yaml(path), str(path))


def read_npz_array(path: Path, name: str) -> np.ndarray:
    """Raises:
    InputError: the file is missing, damaged, lacks the array, or the array could run code.
    """
    arrays = read_npz(path, [name])
    if name not in arrays:
        raise InputError("an array is missing", where=path, expected=name)
    return arrays[name]


def read_text_numbers(path: Path) -> np.ndarray:
    """Numbers separated by white space, as `numpy.savetxt` writes them.

    Raises:
        InputError: the file is missing or holds something else.
    """
    lines = [line.split("#")[0].split() for line in read_text(path, 2**20).splitlines()]
    try:
        return np.array([[float(number) for number in line] for line in lines if line])
    except ValueError as error:
        raise InputError("a file does not hold numbers", where=path, found=error) from error


def unused_keys(mapping: object, used: Mapping[str, object] | tuple[str, ...], where: str) -> list[Finding]:
    """What a calibration says beside the keys that are read: a pinhole's images know no distortion and no skew.

    Nothing is said of keys that hold zeros only.
    """
    if not isinstance(mapping, dict):
        return []
    unused = [str(key) for key, value in mapping.items() if key not in used and _says_something(value)]
    bent = [key for key in unused if DISTORTION.search(key)]
    others = [key for key in unused if key not in bent]
    findings = []
    if bent:
        what = f"the calibration has {some(map(repr, bent))}, which is not used: images must be free of distortion"
        fix = "undistort the images first, unless that has been done; then remove the key (docs/real-captures.md)"
        findings.append(Finding("warning", what, where, fix=fix))
    if others:
        findings.append(
            Finding("warning", f"a key of the calibration is not used: {some(map(repr, others))}", where)
        )
    return findings


def _says_something(value: object) -> bool:
    """Whether anything but zeros stands in a value."""
    if isinstance(value, dict):
        return any(map(_says_something, value.values()))
    if isinstance(value, list):
        return any(map(_says_something, value))
    return bool(value)


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
    except (TypeError, ValueError, OverflowError, RecursionError):
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
    if np.abs(numbers).max(initial=0) > LARGEST:
        raise InputError("a value is too large to be meant", where=where, found=f"{np.abs(numbers).max():.3g}")
    return numbers


def as_size(value: object, where: str) -> int:
    """A number of pixels or frames."""
    if not _is_whole(value) or not 0 < value <= _MOST_SIZE:
        raise InputError(
            "a positive whole number was expected here", where=where, expected=f"1 to {_MOST_SIZE}", found=value
        )
    return int(value)


def as_frame(value: object, where: object) -> FrameId:
    """A frame's number, which may be written as text."""
    number = int(value) if isinstance(value, str) and len(value) < 20 and value.isdecimal() else value
    if not _is_whole(number) or not 0 <= number < _MOST_FRAMES:
        raise InputError("a frame number was expected", where=where, expected=f"0 to {_MOST_FRAMES}", found=value)
    return FrameId(int(number))


def _is_whole(value: object) -> TypeGuard[int | float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isinstance(value, int) or value.is_integer()


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) + " numbers" if shape else "a single number"

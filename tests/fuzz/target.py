"""A kind of file that is fuzzed, and what a result of it must not hold."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Target:
    """write: valid files below a folder. read: everything that a user's command would read of them."""

    write: Callable[[Path], object]
    read: Callable[[Path], object]


def not_finite(value: object, path: str = "") -> Iterator[str]:
    """Places of a result that hold NaN or infinity; cameras and annotations must not, where they are valid."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            yield path
    elif isinstance(value, float):
        if not np.isfinite(value):
            yield path
    elif is_dataclass(value):
        for field in fields(value):
            yield from not_finite(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from not_finite(item, f"{path}[{key}]")

"""What a later process needs to go on where this one is: objects give it and take it back, files hold it.

A state is a mapping from names to None, booleans, numbers, text, arrays, tensors, and lists and mappings of these.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.files import whole_file
from handrefine.io.text_files import parse_json

State = Mapping[str, Any]
#: The entry that holds everything but the numbers of arrays, JSON in UTF-8.
_TREE = "tree"
#: An array's place in it: `{_ARRAY: name of its entry, _TENSOR: whether it is one of PyTorch's}`.
_ARRAY, _TENSOR = "array entry", "is a tensor"


@runtime_checkable
class Stateful(Protocol):
    """Has a state that tells all that its constructor's arguments do not."""

    def state(self) -> State:
        """As it is now; arrays may be the object's own, and are to be written before it goes on."""
        ...

    def load_state(self, state: State) -> None:
        """Go on from there."""
        ...


def write_state(path: Path, state: State) -> None:
    """Write a file that is there whole or not at all: an uncompressed `.npz`, so that every entry has a checksum.

    Raises:
        OSError: it cannot be written.
        TypeError: the state holds something else than a state may.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_without_arrays(state, arrays)).encode()
    with whole_file(path) as temporary:
        np.savez(temporary, **arrays, **{_TREE: np.frombuffer(tree, np.uint8)})  # pyright: ignore[reportArgumentType]


def read_state(path: Path) -> dict[str, Any]:
    """The state that a file holds; tensors lie in the memory of the CPU.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    arrays = read_npz(path, max_bytes=path.stat().st_size if path.is_file() else 0)
    try:
        state = _with_arrays(parse_json(arrays[_TREE].tobytes().decode(), path), arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError("a file holds no state of a run", where=path, found=error) from error
    if not isinstance(state, dict):
        raise InputError("a file holds no state of a run", where=path)
    return state


def _without_arrays(value: object, arrays: dict[str, np.ndarray]) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor | np.ndarray):
        name = str(len(arrays))
        is_tensor = isinstance(value, torch.Tensor)
        arrays[name] = value.detach().cpu().numpy() if is_tensor else value
        return {_ARRAY: name, _TENSOR: is_tensor}
    if isinstance(value, Mapping):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    raise TypeError(f"a state cannot hold a {type(value).__name__}: {value!r}")


def _with_arrays(value: object, arrays: Mapping[str, np.ndarray]) -> object:
    if isinstance(value, dict):
        if _ARRAY in value:
            array = arrays[value[_ARRAY]]
            return torch.from_numpy(array) if value[_TENSOR] else array
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value

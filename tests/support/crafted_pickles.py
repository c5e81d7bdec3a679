"""Pickles that no library would write: calls of NumPy's own functions with whatever an attacker likes."""

import pickle
from pathlib import Path

import numpy as np

from handrefine.io.safe_pickle import read_pickle

RECONSTRUCT, SCALAR = np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]
FROM_BUFFER = np.zeros(1).__reduce_ex__(5)[0]
#: What NumPy's own `__setstate__` is given for a plain type, behind the order of the bytes.
PLAIN = (None, None, None, -1, -1, 0)
EIGHT = b"\x00" * 8


class Call:
    """Pickled as the call of a function, and perhaps a state for what it returns."""

    def __init__(self, function: object, *arguments: object, state: object = None) -> None:
        self.reduced = function, arguments, state

    def __reduce__(self) -> tuple:
        function, arguments, state = self.reduced
        return (function, arguments) if state is None else (function, arguments, state)


def number_type(name: object, order: str = "<", rest: tuple = PLAIN, version: int = 3) -> Call:
    return Call(np.dtype, name, False, True, state=(version, order, *rest))


def array(
    data: object = EIGHT, shape: object = (1,), dtype: object = None, fortran: object = False, version: object = 1
) -> Call:
    """`data` as an array, by default one number of type f8."""
    dtype = number_type("f8") if dtype is None else dtype
    return Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(version, shape, dtype, fortran, data))


class Ch:
    """Pickled under chumpy's name by `as_chumpy`."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


class Select(Ch):
    """The same, for a selection."""


class csc_matrix(Ch):
    """The same, for a sparse matrix."""


_NAMES = {Ch: b"chumpy.ch\nCh", Select: b"chumpy.reordering\nSelect", csc_matrix: b"scipy.sparse._csc\ncsc_matrix"}


def dumped(content: object, protocol: int = 2) -> bytes:
    """The pickle, the classes above under their libraries' names (protocols up to 2)."""
    text = pickle.dumps(content, protocol=protocol)
    for kind, name in _NAMES.items():
        text = text.replace(f"{kind.__module__}\n{kind.__name__}".encode(), name)
    return text


def sparse(**changes: object) -> csc_matrix:
    """The unit matrix of 3 rows and columns, with changes."""
    state = {"_shape": (3, 3), "data": np.ones(3), "indices": np.arange(3), "indptr": np.arange(4)}
    return csc_matrix(**(state | changes))


def read(folder: Path, content: bytes) -> dict[str, object]:
    """What the reader makes of it."""
    path = folder / "model.pkl"
    path.write_bytes(content)
    return read_pickle(path)

"""Reads MANO's official pickle, and HO-3D's, without running what else a pickle may ask for, and without chumpy.

A pickle is a program: it names globals and calls them. Here the names go through an allow-list. NumPy's arrays are
built as they are; an object of chumpy or scipy.sparse becomes an inert record of its state, turned into an array
afterwards; everything else is refused before it is imported.
"""

import _codecs
import pickle
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

from handrefine.errors import InputError


class _Record:
    """Stands for an object whose class is not imported: it keeps the state and has no behaviour."""

    state: dict[str, object]

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("the state of an object is not a dictionary")
        self.state = state


class _Array(_Record):
    """`chumpy.ch.Ch`: the numbers are its `x`."""

    def value(self) -> np.ndarray:
        return np.asarray(_plain(self.state["x"]))


class _Selection(_Record):
    """`chumpy.reordering.Select`: some entries of the flattened array `a`, in a new shape."""

    def value(self) -> np.ndarray:
        indices = np.asarray(self.state["idxs"], dtype=np.int64)
        shape = tuple(int(n) for n in self.state["preferred_shape"])  # pyright: ignore[reportGeneralTypeIssues]
        return np.asarray(_plain(self.state["a"])).ravel()[indices].reshape(shape)


class _Sparse(_Record):
    """A scipy.sparse matrix by columns."""

    layout = csc_matrix

    def value(self) -> np.ndarray:
        state = self.state
        shape = state["_shape"] if "_shape" in state else state["shape"]
        matrix = self.layout((state["data"], state["indices"], state["indptr"]), shape=shape)
        matrix.check_format(full_check=True)  # else an index out of range would be followed
        return matrix.toarray()


class _SparseByRows(_Sparse):
    layout = csr_matrix


def _reconstruct_object(cls: type, base: type, state: object) -> object:
    """`copy_reg._reconstructor`, by which old protocols create an object, for our records only."""
    if not (isinstance(cls, type) and issubclass(cls, _Record)) or base is not object or state is not None:
        raise pickle.UnpicklingError("an object of an unexpected class")
    return cls()


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    # What chumpy keeps beside its numbers.
    **{(module, kind.__name__): kind for module in ("__builtin__", "builtins") for kind in (set, frozenset)},
    ("copy_reg", "_reconstructor"): _reconstruct_object,
    ("copyreg", "_reconstructor"): _reconstruct_object,
    ("_codecs", "encode"): _codecs.encode,
    ("chumpy.ch", "Ch"): _Array,
    ("chumpy.reordering", "Select"): _Selection,
    **{("scipy.sparse." + module, "csc_matrix"): _Sparse for module in ("csc", "_csc")},
    **{("scipy.sparse." + module, "csr_matrix"): _SparseByRows for module in ("csr", "_csr")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0] for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): np.float64(0).__reduce__()[0] for core in ("core", "_core")},
}


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, path: Path, kind: str, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.path, self.kind = path, kind

    def find_class(self, module: str, name: str) -> object:
        if module.split(".", maxsplit=1)[0] == "chumpy" and (module, name) not in _ALLOWED:
            return _Record
        if (module, name) not in _ALLOWED:
            raise InputError(
                f"{self.kind} asks for {module}.{name}, which is not data; it was not run",
                where=self.path,
                expected="NumPy arrays, chumpy arrays and sparse matrices only",
                fix="use the file as its makers published it",
            )
        return _ALLOWED[module, name]


def _plain(value: object) -> object:
    return value.value() if isinstance(value, (_Array, _Selection, _Sparse)) else value


def read_pickle(path: Path, kind: str = "a hand model file") -> dict[str, object]:
    """The dictionary in the pickle, chumpy and sparse entries as NumPy arrays.

    Args:
        kind: what the file is, for messages.

    Raises:
        InputError: the file asks for anything outside the allow-list, is damaged, or holds no dictionary.
    """
    try:
        with path.open("rb") as file:
            content = _RestrictedUnpickler(path, kind, file, encoding="latin1").load()
        if not isinstance(content, dict):
            raise TypeError(f"holds {type(content).__name__}, not a dictionary")
        return {str(key): _plain(value) for key, value in content.items()}
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise InputError(f"{kind} is damaged", where=path, found=error or type(error).__name__) from error

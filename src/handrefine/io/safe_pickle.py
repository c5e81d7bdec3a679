"""Reads MANO's official pickle, and HO-3D's, without running what else a pickle may ask for, and without chumpy.

A pickle is a program: it names globals and calls them. Here the names go through an allow-list, and what they
stand for are inert records (see `pickled_arrays`), so that nothing of NumPy, chumpy or scipy.sparse is called;
everything else is refused before it is imported. The program runs on the pure-Python machine of the standard
library, by the instructions that data needs: the machine in C reserves memory as a file asks for it.
"""

import io
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handrefine.errors import InputError
from handrefine.io import pickled_arrays as stand_in
from handrefine.io import pickled_matrices as matrix
from handrefine.io.files import open_file

#: Sizes that no file of data comes near: MANO's has 4 MB and some thousand instructions.
MAX_BYTES, MAX_INSTRUCTIONS = 2**28, 5_000_000

_ALLOWED: dict[tuple[str, str], stand_in.StandIn] = {
    ("numpy", "ndarray"): stand_in.Numbers,
    ("numpy", "dtype"): stand_in.NumberType,
    **{(module, "object"): stand_in.PythonObject for module in ("__builtin__", "builtins")},
    **{(module, "bytes"): stand_in.empty_bytes for module in ("__builtin__", "builtins")},
    **{
        (module, kind): stand_in.some_set
        for module in ("__builtin__", "builtins")
        for kind in ("set", "frozenset")
    },
    **{(module, "_reconstructor"): stand_in.reconstructed_object for module in ("copy_reg", "copyreg")},
    ("_codecs", "encode"): stand_in.encoded,
    ("chumpy.ch", "Ch"): matrix.ChumpyArray,
    ("chumpy.reordering", "Select"): matrix.ChumpySelection,
    **{(f"scipy.sparse.{module}", "csc_matrix"): matrix.SparseByColumns for module in ("csc", "_csc")},
    **{(f"scipy.sparse.{module}", "csr_matrix"): matrix.SparseByRows for module in ("csr", "_csr")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): stand_in.reconstructed for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): stand_in.number for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): stand_in.from_buffer for core in ("core", "_core")},
}

#: Magic number, version, and the header of one object in no dimension.
_NPY_OF_OBJECT = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00.{2,4}\{'descr': '\|O', 'fortran_order': False, 'shape': \(\), \} *\n", re.DOTALL
)
#: The instructions whose way of the standard library does; those of `_Machine` are its own.
_DATA = (
    *("PROTO", "FRAME", "MARK", "STOP", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT"),
    *(
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
    ),
    *("BINBYTES", "BINBYTES8", "SHORT_BINBYTES", "UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"),
    *("TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"),
    *("GLOBAL", "STACK_GLOBAL", "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
)
_Instruction = Callable[[Any], None]


class _Instructions(dict[int, _Instruction]):
    """What the machine can do, by the instruction's code; counts what it has done."""

    def __init__(self, known: dict[int, _Instruction]) -> None:
        super().__init__(known)
        self._left = MAX_INSTRUCTIONS

    def __getitem__(self, code: int) -> _Instruction:
        self._left -= 1
        if self._left < 0:
            raise pickle.UnpicklingError(f"holds more than {MAX_INSTRUCTIONS} instructions")
        if code not in self:
            raise pickle.UnpicklingError(f"the instruction {bytes([code])!r} is not data")
        return super().__getitem__(code)


#: Undocumented, but as old as Python 3, and made to be extended: its `dispatch` has a function an instruction.
_StandardMachine: Any = vars(pickle)["_Unpickler"]


class _Machine(_StandardMachine):
    """The standard library's, with less to do: it calls stand-ins only, and changes what it has made itself."""

    def __init__(self, content: bytes, path: Path, kind: str, *, any_type: bool = False) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self.path, self.kind, self.any_type = path, kind, any_type
        codes = [getattr(pickle, name)[0] for name in _DATA]
        known = {code: _StandardMachine.dispatch[code] for code in codes}
        self.dispatch = _Instructions(known | {code[0]: does for code, does in _OWN.items()})

    def find_class(self, module: str, name: str) -> stand_in.StandIn:
        if module.split(".", maxsplit=1)[0] == "chumpy" and (module, name) not in _ALLOWED:
            return stand_in.Record
        if (module, name) not in _ALLOWED:
            raise InputError(
                f"{self.kind} asks for {module}.{name}, which is not data; it was not run",
                where=self.path,
                expected="NumPy arrays, chumpy arrays and sparse matrices only",
                fix="use the file as its makers published it",
            )
        if self.any_type and (module, name) == ("numpy", "dtype"):
            return stand_in.AnyType
        return _ALLOWED[module, name]

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if type(arguments) is not tuple or not any(function is known for known in _CALLABLE):
            raise pickle.UnpicklingError("something is called that is no stand-in")
        self.stack[-1] = function(*arguments)

    def new_object(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if arguments != () or not isinstance(kind, type) or not issubclass(kind, stand_in.Record):
            raise pickle.UnpicklingError("an object of an unexpected class")
        self.append(stand_in.new_record(kind))

    def build(self) -> None:
        state, record = self.stack.pop(), self.stack[-1]
        if not isinstance(record, stand_in.Record):
            raise pickle.UnpicklingError("something is given a state that has none")
        record.build(state)

    def byte_array(self) -> None:
        length = int.from_bytes(self.read(8), "little")
        self.append(bytes(self.read(length)))

    def append_one(self) -> None:
        item = self.stack.pop()
        self._top(list).append(item)

    def append_all(self) -> None:
        items = self.pop_mark()
        self._top(list).extend(items)

    def set_item(self) -> None:
        item, key = self.stack.pop(), self.stack.pop()
        self._top(dict).update(_pairs([key, item]))

    def set_items(self) -> None:
        items = self.pop_mark()
        self._top(dict).update(_pairs(items))

    def dictionary(self) -> None:
        items = self.pop_mark()  # first: it changes what `append` adds to
        self.append(_pairs(items))

    def add_items(self) -> None:
        items = self.pop_mark()
        self._top(set).update(_keys(items))

    def frozen_set(self) -> None:
        items = self.pop_mark()
        self.append(frozenset(_keys(items)))

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise pickle.UnpicklingError(f"there is no {kind.__name__} to add to")
        return self.stack[-1]


_OWN: dict[bytes, _Instruction] = {
    pickle.REDUCE: _Machine.reduce,
    pickle.NEWOBJ: _Machine.new_object,
    pickle.BUILD: _Machine.build,
    pickle.BYTEARRAY8: _Machine.byte_array,
    pickle.APPEND: _Machine.append_one,
    pickle.APPENDS: _Machine.append_all,
    pickle.SETITEM: _Machine.set_item,
    pickle.SETITEMS: _Machine.set_items,
    pickle.DICT: _Machine.dictionary,
    pickle.ADDITEMS: _Machine.add_items,
    pickle.FROZENSET: _Machine.frozen_set,
}
_CALLABLE: tuple[stand_in.StandIn, ...] = (*_ALLOWED.values(), stand_in.Record, stand_in.AnyType)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(_keys(items[::2]), items[1::2], strict=True))


def _keys(items: list[Any]) -> list[Any]:
    """The items, if they are plain: the hash of a deep tuple overflows the stack of the process."""
    for item in items:
        for part in item if type(item) is tuple else (item,):
            if type(part) not in (str, bytes, int, float, bool, type(None)):
                raise pickle.UnpicklingError("a key is neither text nor a number")
    return items


def read_pickle(path: Path, kind: str = "a hand model file") -> dict[str, object]:
    """The dictionary in the pickle, chumpy and sparse entries as NumPy arrays.

    Args:
        kind: what the file is, for messages.

    Raises:
        InputError: the file asks for anything outside the allow-list, is damaged or too large, or holds no
            dictionary.
    """
    with _told(path, kind):
        found = _Machine(_content(path), path, kind).load()
        return _dictionary(found, stand_in.Values())


def read_npy_dictionary(path: Path, kind: str) -> dict[str, object]:
    """The dictionary that `numpy.save` has wrapped into an array; dictionaries within stay as they are, and None
    stands for arrays of text or of objects.

    Raises:
        InputError: as `read_pickle`; the file is no such array.
    """
    with _told(path, kind):
        content = _content(path)
        header = _NPY_OF_OBJECT.match(content)
        if header is None:
            raise TypeError("holds no dictionary that numpy.save has written")
        found = _Machine(content[header.end() :], path, kind, any_type=True).load()
        values = stand_in.Values()
        return _dictionary(values.of(found), values)


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise pickle.UnpicklingError(f"holds more than {MAX_BYTES} bytes")
    with open_file(path) as file:
        content = file.read()
    if len(content) > MAX_BYTES:
        raise pickle.UnpicklingError(f"holds more than {MAX_BYTES} bytes")
    return content


def _dictionary(found: object, values: stand_in.Values) -> dict[str, object]:
    if not isinstance(found, dict):
        raise TypeError(f"holds {type(found).__name__}, not a dictionary")
    return {str(key): values.entry(value) for key, value in found.items()}


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise InputError(f"{kind} is damaged", where=path, found=error or type(error).__name__) from error

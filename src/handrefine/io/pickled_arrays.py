"""What a pickle says of NumPy's objects, kept as inert records and checked; the arrays are built here.

NumPy restores an array by calling its own `__setstate__` with whatever the file holds, and believes it: types with
fields of Python objects, offsets beyond an item, sizes that the bytes do not have. So nothing of NumPy's is called
while a file is read. A record keeps (shape, type, order, bytes), takes plain numbers only, and compares the sizes;
arrays are made from the bytes once the whole file has been read, as far as a limit on all of them together allows.
"""

import math
import re
from collections.abc import Callable
from pickle import UnpicklingError

import numpy as np

#: All numbers of a file together, each as eight bytes: 512 MiB. MANO's file has less than a million.
MAX_NUMBERS = 2**26
#: Truth values, whole numbers and floating-point numbers of a fixed size.
_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
_MAX_DIMENSIONS = 32
#: Texts of a fixed length, and objects.
_NO_NUMBERS = re.compile(r"[US]\d{1,5}|O8")


class Record:
    """Stands for an object whose class is not imported: it keeps the state and has no behaviour."""

    __slots__ = ("state",)

    state: object

    def build(self, state: object) -> None:
        """What the pickle asks for by BUILD."""
        if hasattr(self, "state"):
            raise UnpicklingError("an object is given its state twice")
        self.state = self.checked(state)

    def checked(self, state: object) -> object:
        if type(state) is not dict:
            raise UnpicklingError("the state of an object is not a dictionary")
        return state

    def entry(self, *names: str) -> object:
        """The first of these entries that the state has."""
        state = getattr(self, "state", None)
        for name in names:
            if isinstance(state, dict) and name in state:
                return state[name]
        raise UnpicklingError(f"an object lacks its {names[0]!r}")

    def value(self, values: "Values") -> object:
        """What the record stands for; the record itself where nobody needs to know."""
        return self


class EncodedText(Record):
    """Bytes that old protocols write as text, a character a byte; encoded no earlier than somebody needs them."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, values: "Values") -> bytes:
        values.charge(len(self.text) // 8)
        return self.text.encode("latin1")


class NumberType(Record):
    """`numpy.dtype` of plain numbers; its state says the order of the bytes."""

    __slots__ = ("name",)

    def __init__(self, name: object, *options: object) -> None:
        if not isinstance(name, str) or name not in _TYPES or any(type(o) not in (bool, int) for o in options):
            raise UnpicklingError(f"an array's type is not one of {', '.join(_TYPES)}")
        self.name = name

    def checked(self, state: object) -> np.dtype | None:
        """The state has: version, order of bytes, subarray, names, fields, size, alignment, flags."""
        orders = ("|",) if self.name.endswith("1") else ("<", ">")
        for order in orders:
            if _same(state, (3, order, None, None, None, -1, -1, 0)):
                return np.dtype(f"{order}{self.name}")
        raise UnpicklingError("an array's type is not one of plain numbers in a fixed order of bytes")


class AnyType(NumberType):
    """`numpy.dtype` where a file may also hold arrays of text and of objects: such an array is not built, and None
    stands for it, unless it is one object in no dimension, by which `numpy.save` wraps a dictionary."""

    __slots__ = ()

    def __init__(self, name: object, *options: object) -> None:
        if isinstance(name, str) and _NO_NUMBERS.fullmatch(name):
            self.name = name
        else:
            super().__init__(name, *options)

    def checked(self, state: object) -> np.dtype | None:
        return None if _NO_NUMBERS.fullmatch(self.name) else super().checked(state)


class Numbers(Record):
    """`numpy.ndarray`: (shape, type, order, bytes), compared with each other as soon as they are known."""

    __slots__ = ("axes", "data", "dtype", "order", "shape", "wrapped")

    def checked(self, state: object) -> None:
        if type(state) is not tuple or len(state) != 5 or state[0] != 1 or type(state[3]) not in (bool, int):
            raise UnpicklingError("the state of an array is not one that NumPy writes")
        if isinstance(state[2], AnyType) and getattr(state[2], "state", self) is None:
            one = state[2].name == "O8" and state[1] == () and type(state[4]) is list and len(state[4]) == 1
            self.wrapped: object = state[4][0] if one else None
            return
        self.fill(state[4], state[2], state[1], "F" if state[3] else "C")

    def fill(self, data: object, dtype: object, shape: object, order: object, axes: object = None) -> None:
        found = data.text if isinstance(data, EncodedText) else data
        if not isinstance(found, bytes | str) or not isinstance(order, str) or order not in ("C", "F", "K"):
            raise UnpicklingError("an array is not made of bytes in a known order")
        self.data: bytes | str = found  # Python 2's text is bytes, a character each
        self.shape, self.dtype, self.order = shape_of(shape), _dtype(dtype), order
        self.axes = None if order != "K" or axes is None else shape_of(axes)
        if len(found) != math.prod(self.shape) * self.dtype.itemsize:
            raise UnpicklingError(
                f"an array of {self.shape} and {self.dtype} does not have {len(found)} bytes of data"
            )

    def value(self, values: "Values") -> object:
        if hasattr(self, "wrapped"):
            return values.of(self.wrapped)
        if not hasattr(self, "data"):
            raise UnpicklingError("an array lacks its data")
        values.charge(math.prod(self.shape))
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        if not data:
            return np.zeros(self.shape, self.dtype)
        if self.dtype.kind == "b":  # NumPy relies on bytes of 0 and 1
            flat = np.frombuffer(data, np.uint8) != 0
        else:
            flat = np.frombuffer(data, self.dtype).astype(self.dtype.newbyteorder("="))
        array = flat.reshape(self.shape, order="F" if self.order == "F" else "C")
        return array if self.axes is None else array.transpose(self.axes)


class Values:
    """Turns what was read into plain values and arrays, each object once, as long as the limit allows."""

    def __init__(self, max_numbers: int = MAX_NUMBERS) -> None:
        self._left = max_numbers
        self._done: dict[int, object] = {}
        self._sizes: dict[int, int] = {}

    def charge(self, numbers: int) -> None:
        """Raises:
        UnpicklingError: the file asks for more numbers than any such file has.
        """
        self._left -= numbers
        if self._left < 0:
            raise UnpicklingError(f"holds more than {MAX_NUMBERS} numbers")

    def of(self, value: object) -> object:
        """The value with every record in it replaced by what it stands for."""
        if not isinstance(value, list | tuple | dict | Record):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = _UNFINISHED
            self._done[id(value)] = self._made(value)
        done = self._done[id(value)]
        if done is _UNFINISHED:
            raise UnpicklingError("an object contains itself")
        return done

    def entry(self, value: object) -> object:
        """As `of`, for what a reader will make one array of: repeated references count anew."""
        made = self.of(value)
        self.charge(self._size(value, made))
        return made

    def array(self, value: object, kinds: str) -> np.ndarray:
        """The value as one array of these kinds of numbers."""
        array = np.asarray(self.entry(value))
        if array.dtype.kind not in kinds:
            raise UnpicklingError("an array does not hold numbers")
        return array

    def _made(self, value: list | tuple | dict | Record) -> object:
        if isinstance(value, Record):
            return value.value(self)
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        made = [self.of(item) for item in value]
        sizes = [self._size(*pair) for pair in zip(value, made, strict=True)]
        self._sizes[id(value)] = len(sizes) * max(
            sizes, default=0
        )  # NumPy makes all entries as long as the longest
        return made if isinstance(value, list) else tuple(made)

    def _size(self, value: object, made: object) -> int:
        """How many numbers an array of the value has room for; a text takes it by its characters."""
        if isinstance(made, np.ndarray):
            return made.size
        return len(made) if isinstance(made, str | bytes) else self._sizes.get(id(value), 1)


_UNFINISHED = object()


def number(dtype: object, data: object) -> bool | int | float:
    """`numpy.core.multiarray.scalar`."""
    single = Numbers()
    single.fill(data, dtype, (), "C")
    return np.asarray(single.value(Values())).item()


def reconstructed(kind: object, shape: object, code: object) -> Numbers:
    """`numpy.core.multiarray._reconstruct`: an array that is still to get its state."""
    if kind is not Numbers:
        raise UnpicklingError("an array of an unexpected class")
    return Numbers()


def from_buffer(data: object, dtype: object, shape: object, order: object, axes: object = None) -> Numbers:
    """`numpy.core.numeric._frombuffer`, by which protocol 5 writes arrays."""
    array = Numbers()
    array.fill(data, dtype, shape, order, axes)
    return array


def reconstructed_object(kind: object, base: object, state: object) -> Record:
    """`copy_reg._reconstructor`, by which old protocols create an object, for our records only."""
    if not isinstance(kind, type) or not issubclass(kind, Record) or base is not PythonObject or state is not None:
        raise UnpicklingError("an object of an unexpected class")
    return new_record(kind)


def new_record(kind: type[Record]) -> Record:
    """Raises:
    UnpicklingError: records of this kind are not made without arguments.
    """
    if kind in (NumberType, EncodedText, Numbers):
        raise UnpicklingError("an object is created in an unexpected way")
    return kind()


class PythonObject:
    """`object`, as a name only."""


def encoded(text: object, encoding: object) -> EncodedText:
    """`_codecs.encode`, for what NumPy and pickle write by it."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnpicklingError("bytes that are not written as text of one byte a character")
    return EncodedText(text)


def empty_bytes() -> bytes:
    """`bytes`, for arrays without entries."""
    return b""


def some_set(*_items: object) -> Record:
    """`set` and `frozenset`: chumpy keeps names in some that no reader needs."""
    return Record()


def shape_of(shape: object) -> tuple[int, ...]:
    """Raises:
    UnpicklingError: this is no array's shape.
    """
    if not isinstance(shape, tuple | list) or len(shape) > _MAX_DIMENSIONS:
        raise UnpicklingError("an array's shape is not a short tuple")
    if any(type(size) is not int or size < 0 for size in shape):
        raise UnpicklingError("an array's shape is not made of whole numbers")
    return tuple(shape)


def _same(value: object, expected: tuple[object, ...]) -> bool:
    """Whether a tuple holds exactly these values, of exactly these types."""
    if not isinstance(value, tuple) or len(value) != len(expected):
        return False
    return all(type(a) is type(b) and a == b for a, b in zip(value, expected, strict=True))


def _dtype(dtype: object) -> np.dtype:
    state = getattr(dtype, "state", None)
    if not isinstance(dtype, NumberType) or not isinstance(state, np.dtype):
        raise UnpicklingError("an array lacks its type")
    return state


#: What a name in a pickle stands for: a record's class, or a function that makes one.
StandIn = type | Callable[..., object]

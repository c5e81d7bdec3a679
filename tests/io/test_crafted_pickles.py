"""Crafted pickles end in one message, never in code, in a crash or in memory that runs out."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from crafted_pickles import (
    EIGHT,
    FROM_BUFFER,
    PLAIN,
    RECONSTRUCT,
    SCALAR,
    Call,
    Ch,
    Select,
    array,
    dumped,
    number_type,
    read,
    sparse,
)

from handrefine.errors import InputError
from handrefine.io import safe_pickle

OBJECT = np.dtype("O")
FIELDS = {"a": (OBJECT, 0)}
TYPES: dict[str, object] = {
    "fields of objects": number_type("V8", "|", (None, ("a",), FIELDS, 8, 1, 27)),
    "fields beyond the item": number_type("V8", "|", (None, ("a",), {"a": (np.dtype("f8"), 4096)}, 8, 1, 0)),
    "fields in a number": number_type("f8", "<", (None, ("a",), FIELDS, 8, 1, 27)),
    "void": number_type("V8", "|", (None, None, None, 8, 1, 0)),
    "objects": OBJECT,
    "objects without flags": number_type("O8", "|"),
    "flags of objects": number_type("f8", "<", (None, None, None, -1, -1, 63)),
    "another size": number_type("f8", "<", (None, None, None, 1, 1, 0)),
    "a subarray": number_type("f8", "<", ((OBJECT, (2**40,)), None, None, -1, -1, 0)),
    "metadata": number_type("f8", "<", (*PLAIN, {"a": 1}), 4),
    "another version": number_type("f8", version=1),
    "truth values for numbers": number_type("f8", "<", (None, None, None, -1, -1, False)),
    "native order": number_type("f8", "="),
    "no order": number_type("f8", "|"),
    "order of one byte": number_type("u1", "<"),
    "characters": number_type("U2", "<", (None, None, None, 8, 4, 8)),
    "bytes": number_type("S8", "|", (None, None, None, 8, 1, 0)),
    "dates": np.dtype("M8[us]"),
    "complex numbers": np.dtype("c8"),
    "long double": np.dtype("g"),
    "a list of fields": Call(np.dtype, [("a", "O")], False, True),
    "several fields": Call(np.dtype, "f4,O", False, True),
    "a type's type": Call(np.dtype, number_type("f8"), False, True),
    "no state": Call(np.dtype, "f8", False, True),
    "text": "f8",
    "nothing": None.__class__,
}


@pytest.mark.parametrize("name", TYPES)
def test_types_other_than_plain_numbers_are_refused(tmp_path: Path, name: str) -> None:
    """As the type of an array with matching and with long data, of a scalar, and of protocol 5's array."""
    kind = TYPES[name]
    for gadget in (
        array(EIGHT, (1,), kind),
        array(4096 * b"\x41", (512,), kind),
        Call(SCALAR, kind, EIGHT),
        Call(FROM_BUFFER, EIGHT, kind, (1,), "C"),
    ):
        with pytest.raises(InputError):
            read(tmp_path, dumped({"x": gadget}))


F8 = number_type("f8")
ARRAYS: dict[str, object] = {
    "too few bytes": array(EIGHT, (1000,)),
    "too many bytes": array(EIGHT * 2, (1,)),
    "no bytes": array(b"", (3,)),
    "a negative size": array(EIGHT, (-1, -1)),
    "sizes whose product wraps": array(b"", (2**32, 2**32)),
    "an enormous size beside none": array(b"", (0, 2**62, 2**62)),
    "fractional sizes": array(EIGHT, (1.0,)),
    "truth values as sizes": array(EIGHT, (True,)),
    "no shape": array(EIGHT, None),
    "a number as shape": array(EIGHT, 1),
    "too many dimensions": array(EIGHT, (1,) * 65),
    "a list of objects": array(["a"], (1,)),
    "text beyond bytes": array("\u20ac" * 8, (1,)),
    "an order that is none": array(EIGHT, (1,), fortran="C"),
    "another version": array(version=2),
    "a state that is none": Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=[1]),
    "a state that is short": Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), F8)),
    "no state": Call(RECONSTRUCT, np.ndarray, (10**9,), b"b"),
    "another class": Call(RECONSTRUCT, np.dtype, (0,), b"b"),
    "NumPy's constructor": Call(np.ndarray, (4,), F8, EIGHT, 0, (2**40,)),
    "short buffer": Call(FROM_BUFFER, EIGHT, F8, (2,), "C"),
    "order as memory has it": Call(FROM_BUFFER, EIGHT, F8, (1,), "A"),
    "axes that are none": Call(FROM_BUFFER, EIGHT * 4, F8, (2, 2), "K", (0, 7)),
    "axes twice": Call(FROM_BUFFER, EIGHT * 4, F8, (2, 2), "K", (1, 1)),
    "a buffer that is a list": Call(FROM_BUFFER, [0] * 8, F8, (1,), "C"),
    "a short scalar": Call(SCALAR, F8, b"\x00"),
    "a scalar without data": Call(SCALAR, F8),
}
MATRICES: dict[str, object] = {
    "rows beyond the matrix": sparse(indices=np.array([0, 1, 3])),
    "negative rows": sparse(indices=np.array([0, 1, -1])),
    "rows beyond int64": sparse(indices=np.array([0, 1, 2**63], dtype=np.uint64)),
    "too few rows": sparse(indices=np.arange(2)),
    "more data than rows": sparse(data=np.ones(4)),
    "columns that decrease": sparse(indptr=np.array([0, 3, 1, 3])),
    "columns beyond the data": sparse(indptr=np.array([0, 1, 2, 9])),
    "columns that begin late": sparse(indptr=np.array([1, 1, 2, 3])),
    "negative columns": sparse(indptr=np.array([0, -5, 2, 3])),
    "too few columns": sparse(indptr=np.array([0, 3])),
    "fractional columns": sparse(indptr=np.array([0, 1.0, 2, 3])),
    "data in a square": sparse(data=np.ones((3, 1))),
    "data of text": sparse(data=["a", "b", "c"]),
    "a negative shape": sparse(_shape=(-3, -3)),
    "three sides": sparse(_shape=(3, 3, 3)),
    "a shape beyond memory": sparse(_shape=(2**40, 3)),
    "no data": sparse(data=None),
    "a selection beyond its array": Select(a=np.ones(3), idxs=np.array([3]), preferred_shape=(1,)),
    "a selection that does not fit": Select(a=np.ones(3), idxs=np.array([0]), preferred_shape=(2,)),
    "a selection of any shape": Select(a=np.ones(3), idxs=np.array([0]), preferred_shape=(-1,)),
    "a selection by fractions": Select(a=np.ones(3), idxs=np.array([0.5]), preferred_shape=(1,)),
    "a selection of nothing": Select(idxs=np.array([0])),
    "chumpy's array of text": Ch(x="text"),
    "chumpy's array of nothing": Ch(y=1),
}


@pytest.mark.parametrize("gadget", [*ARRAYS.values(), *MATRICES.values()], ids=[*ARRAYS, *MATRICES])
def test_arrays_and_matrices_that_contradict_themselves_are_refused(tmp_path: Path, gadget: object) -> None:
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path, dumped({"x": gadget}))


DEEP = b"I0\n" + b"\x85" * 100_000  # a tuple in a tuple in a tuple ...
PROGRAMS: dict[str, bytes] = {
    "a deep tuple as key": b"\x80\x02}" + DEEP + b"Ns.",
    "a deep tuple as keys": b"\x80\x02}(" + DEEP + b"Nu.",
    "a deep tuple in a dictionary": b"\x80\x02(" + DEEP + b"Nd.",
    "a deep tuple in a set": b"\x80\x04\x8f(" + DEEP + b"\x90.",
    "a deep tuple in a frozen set": b"\x80\x04(" + DEEP + b"\x91.",
    "a deep list": b"\x80\x02}S'x'\n" + b"]" * 50_000 + b"a" * 49_999 + b"s.",
    "a list in itself": b"\x80\x02}S'x'\n]q\x00h\x00as.",
    "a dictionary in itself": b"\x80\x02}q\x00S'x'\nh\x00s.",
    "ten lists of ten of ten ...": b"\x80\x02}S'x'\n]q\x00("
    + b"N" * 10
    + b"e"
    + b"".join(b"](" + b"h%c" % k * 10 + b"eq%c" % (k + 1) for k in range(12))
    + b"s.",
    "one long text a thousand times": b"\x80\x02}S'x'\n](X\x00\x00\x10\x00"
    + b"a" * 2**20
    + b"q\x00"
    + b"h\x00" * 1000
    + b"es.",
    "state for a class": b"\x80\x02cnumpy\ndtype\n}S'name'\nS'x'\nsb.",
    "state for a function": b"\x80\x02c_codecs\nencode\n}S'__doc__'\nS'x'\nsb.",
    "slots for a function": b"\x80\x02c_codecs\nencode\nN}S'__defaults__'\nNs\x86b.",
    "state for a dictionary": b"\x80\x02}}b.",
    "a call of text": b"\x80\x02S'x'\n)R.",
    "a call with a list": b"\x80\x02c__builtin__\nset\n]R.",
    "a call of a record": b"\x80\x02cchumpy.ch\nCh\n)R)R.",
    "a new list": b"\x80\x02])\x81.",
    "a new array": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "a new type": b"\x80\x02cnumpy\ndtype\n(S'f8'\nt\x81.",
    "a new object with keywords": b"\x80\x04cchumpy.ch\nCh\n)}\x92.",
    "an instance": b"(inumpy\ndtype\n.",
    "an object": b"(cnumpy\ndtype\nS'f8'\no.",
    "something persistent": b"P1\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "an unknown instruction": b"\x80\x02\xff.",
    "a text appended to": b"\x80\x02S'x'\nNa.",
    "a byte array appended to": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00x(K\x01e.",
    "a tuple with entries": b"\x80\x02)S'x'\nNs.",
    "a key without a value": b"\x80\x02}(S'x'\nu.",
    "2^62 bytes": b"\x80\x04}S'x'\n\x8e" + struct.pack("<Q", 2**62) + b"s.",
    "2^62 bytes to change": b"\x80\x05}S'x'\n\x96" + struct.pack("<Q", 2**62) + b"s.",
    "an empty stack": b"\x80\x020.",
    "no end": b"\x80\x02}",
    "nothing": b"",
    "no dictionary": b"\x80\x02].",
    "another encoding": b"\x80\x02}S'x'\nc_codecs\nencode\nS'x'\nS'rot13'\n\x86Rs.",
    "numpy.load": b"cnumpy\nload\n(S'x'\ntR.",
    "a name within a name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_that_are_not_data_are_refused(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(InputError, match=r"model\.pkl"):
        read(tmp_path, program)


def test_one_piece_of_data_under_many_names_counts_every_time(tmp_path: Path) -> None:
    data, kind = b"\x00" * 2**20, number_type("u1", "|")
    content = {str(k): Call(FROM_BUFFER, data, kind, (2**20,), "C") for k in range(70)}
    with pytest.raises(InputError, match="numbers"):
        read(tmp_path, dumped(content, protocol=4))


def test_what_no_file_of_data_needs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pickle.dumps({"x": list(range(100))})
    monkeypatch.setattr(safe_pickle, "MAX_INSTRUCTIONS", 50)
    with pytest.raises(InputError, match="50 instructions"):
        read(tmp_path, text)
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 50)
    with pytest.raises(InputError, match="50 bytes"):
        read(tmp_path, text)

"""Pickles of data are read, whoever wrote them and by whatever protocol; damaged ones never give anything else."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from crafted_pickles import (
    EIGHT,
    Ch,
    Select,
    array,
    dumped,
    number_type,
    read,
    sparse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_matrix

from handrefine.errors import InputError

TALL = np.arange(6.0).reshape(2, 3)


def everything() -> dict[str, object]:
    """Arrays of every plain type, in every layout."""
    names = ("?", "i1", "i2", "<i4", ">i8", "u1", ">u2", "u4", "u8", "f2", ">f4", "f8")
    layouts = {
        "rows": TALL,
        "columns": np.asfortranarray(TALL),
        "permuted": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
        "strided": np.arange(12.0)[::2],
        "empty": np.zeros((0, 3)),
        "single": np.array(2.5),
        "read only": np.frombuffer(EIGHT),
    }
    return {**{name: TALL.astype(name) for name in names}, **layouts}


def with_names_of_numpy_1(text: bytes) -> bytes:
    """NumPy 2's modules renamed, lengths adapted: what NumPy 1 writes."""
    names = (b"numpy._core.multiarray", b"numpy._core.numeric")
    count = sum(text.count(name) for name in names)
    for name in names:
        text = text.replace(bytes([len(name)]) + name, bytes([len(name) - 1]) + name.replace(b"_core", b"core"))
        text = text.replace(b"c" + name, b"c" + name.replace(b"_core", b"core"))
    if text[2:3] == pickle.FRAME:
        (length,) = struct.unpack("<Q", text[3:11])
        text = text[:3] + struct.pack("<Q", length - count) + text[11:]
    return text


@pytest.mark.parametrize("old_names", [False, True])
@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_numbers_come_back(tmp_path: Path, protocol: int, old_names: bool) -> None:
    for name, expected in everything().items():
        text = pickle.dumps({"x": expected, "again": expected, "n": np.float32(0.5)}, protocol=protocol)
        found = read(tmp_path, with_names_of_numpy_1(text) if old_names else text)
        np.testing.assert_array_equal(found["x"], expected, err_msg=name)
        assert found["x"].dtype == expected.dtype.newbyteorder("="), name
        assert found["n"] == 0.5


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("layout", [csc_matrix, csr_matrix])
def test_sparse_matrices_become_dense(tmp_path: Path, layout: type, protocol: int) -> None:
    dense = np.array([[0, 2.5, 0, 0], [1, 0, 0, -3], [0, 0, 0, 0.0]])
    found = read(tmp_path, pickle.dumps({"J": layout(dense)}, protocol=protocol))
    np.testing.assert_array_equal(found["J"], dense)


def test_entries_that_a_sparse_matrix_names_twice_are_added(tmp_path: Path) -> None:
    found = read(tmp_path, dumped({"J": sparse(indices=np.zeros(3, int), indptr=np.array([0, 2, 3, 3]))}))
    np.testing.assert_array_equal(found["J"], [[2, 1, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("protocol", [0, 2])
def test_python_2_wrote_bytes_as_text(tmp_path: Path, protocol: int) -> None:
    values = np.array([1.5, -2e-300, np.pi])
    as_text = b"S" + repr(values.tobytes())[1:].encode() + b"\n"
    data = as_text if protocol == 0 else b"U\x18" + values.tobytes()
    start = (
        b"}S'x'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(L3L\ntcnumpy\ndtype\n"
    )
    kind = b"(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
    found = read(tmp_path, start + kind + data + b"tbs.")
    np.testing.assert_array_equal(found["x"], values)


def test_chumpys_objects_are_read_without_it(tmp_path: Path) -> None:
    inner = Ch(x=np.arange(6), _dirty_vars={"x"}, _cache={("a", 1): None}, other=frozenset({"b"}))
    content = {
        "a": Ch(x=inner),
        "b": Select(a=inner, idxs=np.array([5, 0, 0, 1]), preferred_shape=np.array([2, 2])),
    }
    for protocol in (0, 1, 2):
        found = read(tmp_path, dumped(content, protocol))
        np.testing.assert_array_equal(found["a"], np.arange(6))
        np.testing.assert_array_equal(found["b"], [[5, 0], [0, 1]])


@pytest.mark.parametrize("program", [b"}r\xff\xff\xff\xff.", b"\x95" + struct.pack("<Q", 2**62) + b"}."])
def test_a_file_reserves_no_memory_by_asking(tmp_path: Path, program: bytes) -> None:
    """A place in the memo for which the machine in C sets aside 64 GB, and a frame of an exabyte."""
    assert read(tmp_path, b"\x80\x04" + program) == {}


def test_a_truth_value_is_0_or_1(tmp_path: Path) -> None:
    """NumPy counts bytes where it counts truth values, and writes beyond its memory when they are larger."""
    found = read(tmp_path, dumped({"x": array(b"\x00\xff\x07", (3,), number_type("b1", "|"))}))
    assert found["x"].view(np.uint8).tolist() == [0, 1, 1]


def _is_plain(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    plain = (str, bytes, int, float, bool, set, frozenset, type(None))
    return isinstance(value, plain) or type(value).__module__ == "handrefine.io.pickled_arrays"


VALID = [
    pickle.dumps({"v": TALL, "f": np.arange(4, dtype=np.uint32), "J": csc_matrix(TALL)}, protocol=protocol)
    for protocol in (0, 2, 4, 5)
] + [dumped({"s": Select(a=Ch(x=TALL), idxs=np.arange(4), preferred_shape=(2, 2)), "n": np.float64(3)})]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_bytes_are_read_as_data_or_refused(data: st.DataObject, tmp_path_factory) -> None:
    """Nothing else comes out, whatever byte is changed, inserted or dropped."""
    text = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 4))):
        at, byte = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 255))
        kind = data.draw(st.sampled_from(["change", "insert", "drop", "repeat"]))
        text[at : at + (kind != "insert")] = {"drop": b"", "repeat": text[at : at + 1] * 2}.get(
            kind, bytes([byte])
        )
    try:
        found = read(tmp_path_factory.getbasetemp(), bytes(text))
    except InputError:
        return
    assert _is_plain(found)

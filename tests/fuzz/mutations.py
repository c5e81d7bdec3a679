"""How a file is changed: its bytes, the values in it, or the container around it."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import yaml

Random = np.random.Generator
#: Values that readers stumble over.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**399, 0.5, -0.0, 1e-320, 1e308, float("nan"),
    float("inf"), -float("inf"), "", "0", "-1", "nan", "1e999", "9" * 5000, "a" * 3000, "\u0000", "\ud800", "..",
    "/etc/passwd", "../../../etc/passwd", "/../../../ESCAPED", "C:\\x", "[red]", "\x1b[31m", "\u0661", [], {},
    [[]], [None], [[1, 2], [3]], {"": {}}, {"x": [1, {"y": None}]},
)  # fmt: skip


def changed_bytes(content: bytes, random: Random) -> bytes:
    """Some bytes flipped, cut out, put twice, or overwritten by what formats give a meaning."""
    if not content:
        return bytes(random.integers(0, 256, 20, dtype=np.uint8))
    data = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        at, length = int(random.integers(len(data) + 1)), int(random.integers(1, 33))
        match int(random.integers(6)):
            case 0 if at < len(data):
                data[at] ^= 1 << int(random.integers(8))
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at : at + length] = bytes(random.integers(0, 256, length, dtype=np.uint8))
            case 4:
                marks = (
                    b"\xff\xfe",
                    b"\xef\xbb\xbf",
                    b"\x00" * 8,
                    b"\xff" * 8,
                    b"[" * 200,
                    b'{"a":' * 90,
                    b"\x80\x05",
                )
                data[at:at] = marks[int(random.integers(len(marks)))]
            case _:
                data = data[: at or 1]
        if not data:
            break
    return bytes(data)


def changed_value(value: Any, random: Random) -> Any:
    """A document with one of its values exchanged, left out, or put in another's place."""
    places = [place for place in _places(value) if place]
    if not places:
        return _odd(random)
    place = places[int(random.integers(len(places)))]
    copy = _copied(value)
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    match int(random.integers(8)):
        case 0:
            del parent[place[-1]]
        case 1 if isinstance(parent, list):
            parent.append(parent[place[-1]])
        case 2:
            other = places[int(random.integers(len(places)))]
            parent[place[-1]] = _copied(_at(value, other))
        case 3 if isinstance(parent, dict):
            parent[str(_odd(random))[:50]] = parent.pop(place[-1])
        case _:
            parent[place[-1]] = _odd(random)
    return copy


def changed_json(content: bytes, random: Random) -> bytes:
    return json.dumps(changed_value(json.loads(content), random)).encode()


def changed_json_lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines()
    at = int(random.integers(len(lines)))
    lines[at] = changed_json(lines[at], random)
    return b"\n".join(lines)


def changed_yaml(content: bytes, random: Random) -> bytes:
    value = changed_value(yaml.safe_load(content), random)
    try:
        return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
    except yaml.YAMLError:
        return json.dumps(value).encode()


def changed_npz(content: bytes, random: Random) -> bytes:
    """Arrays of other types, shapes and values; or entries of the archive with other bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(entries)[int(random.integers(len(entries)))]
    if random.random() < 0.4:
        entries[name] = changed_bytes(entries[name], random)
    elif random.random() < 0.1:
        del entries[name]
    else:
        array = np.load(io.BytesIO(entries[name]), allow_pickle=False)
        file = io.BytesIO()
        np.save(file, _changed_array(array, random), allow_pickle=True)
        entries[name] = file.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(
        out, "w", zipfile.ZIP_DEFLATED if random.random() < 0.5 else zipfile.ZIP_STORED
    ) as archive:
        for entry, data in entries.items():
            archive.writestr(entry, data)
    return out.getvalue()


def changed_npy(content: bytes, random: Random) -> bytes:
    """An array of another type, shape or value, or a header that says so."""
    if random.random() < 0.5:
        old, new = _HEADERS[int(random.integers(len(_HEADERS)))]
        return content.replace(old, new, 1)
    file = io.BytesIO()
    np.save(file, _changed_array(np.load(io.BytesIO(content), allow_pickle=False), random), allow_pickle=True)
    return file.getvalue()


#: In the header of an array, what it says and what it shall say.
_HEADERS = (
    (b"'shape': (", b"'shape': (100000000000000000000, "),
    (b"'shape': (", b"'shape': (True, "),
    (b"'shape': (", b"'shape': (-1, "),
    (b"<f8", b"|V0"),
    (b"<f8", b"<U9"),
    (b"<f8", b"|O8"),
    (b"False", b"None "),
    (b"{'descr'", b"((((((('descr'"),
)


def changed_words(content: bytes, random: Random) -> bytes:
    """Text with one of its words exchanged or left out."""
    lines = [line.split(b" ") for line in content.splitlines()]
    line = lines[int(random.integers(len(lines)))]
    new = str(_odd(random)).encode("utf-8", "replace")
    line[int(random.integers(len(line)))] = new if random.random() < 0.8 else b""
    return b"\n".join(b" ".join(words) for words in lines)


def changed_pickle(content: bytes, random: Random) -> bytes:
    """The same content with changed values or arrays, by another protocol."""
    value = changed_value(pickle.loads(content), random)
    if isinstance(value, dict) and value and random.random() < 0.5:
        key = list(value)[int(random.integers(len(value)))]
        value[key] = _changed_array(np.asarray(value[key]), random)
    return pickle.dumps(value, protocol=int(random.integers(0, 6)))


def _changed_array(array: np.ndarray, random: Random) -> np.ndarray:
    """Of another type, shape or order, or with one value that cannot be meant."""
    kinds = ("f2", ">f8", "i1", "u8", "?", "O", "c16", "S3", "U4", "V5", "M8[s]")
    changes: list[Callable[[], np.ndarray]] = [
        lambda: np.zeros(array.shape, kinds[int(random.integers(len(kinds)))]),
        lambda: array[..., None],
        lambda: array.ravel()[: max(0, array.size - 1)],
        lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        lambda: np.asfortranarray(array),
        lambda: np.concatenate([np.atleast_1d(array)] * 2),
        lambda: array.T,
        lambda: _with_odd_number(array, random),
    ]
    return changes[int(random.integers(len(changes)))]()


def _with_odd_number(array: np.ndarray, random: Random) -> np.ndarray:
    if not array.size or array.dtype.kind not in "fiu":
        return array
    flat = array.copy().ravel()
    odd = (np.nan, np.inf, 1e300) if array.dtype.kind == "f" else (-1, 10**9, 2**31 - 1)
    with np.errstate(over="ignore"):
        flat[int(random.integers(flat.size))] = np.array(odd[int(random.integers(3))]).astype(array.dtype)
    return flat.reshape(array.shape)


def _odd(random: Random) -> Any:
    return _copied(ODD[int(random.integers(len(ODD)))])


def _places(value: Any, place: tuple = (), depth: int = 0) -> list[tuple]:
    found = [place]
    if depth < 8 and isinstance(value, dict):
        for key in value:
            found += _places(value[key], (*place, key), depth + 1)
    elif depth < 8 and isinstance(value, list):
        for k in range(min(len(value), 50)):
            found += _places(value[k], (*place, k), depth + 1)
    return found


def _at(value: Any, place: tuple) -> Any:
    for key in place:
        value = value[key]
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value

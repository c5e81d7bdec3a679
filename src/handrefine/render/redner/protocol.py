"""Messages between us and the worker: a JSON header and raw arrays, framed, over a pipe. Never pickle.

A frame is the magic number, the header's length (4 bytes) and the arrays' total length (8 bytes), little-endian,
the header, then the arrays one after the other in C order. The header names the arrays with dtype and shape.

Read by both sides: this file must run under CPython 3.6 and import nothing of ours.
"""

import json
import struct

import numpy as np

MAGIC = b"hrR1"
PREFIX = struct.Struct("<4sIQ")
LONGEST_HEADER = 1 << 20
LARGEST_PAYLOAD = 1 << 36
DTYPES = ("float32", "int32", "int64")


class ProtocolError(Exception):
    """What came through the pipe is no message."""


def encode(kind, fields=None, arrays=None):
    """A message as a list of byte strings, to be written one after the other.

    kind: what is asked for or answered. fields: JSON values. arrays: name -> NumPy array.
    """
    described, blocks = [], []
    for name, given in (arrays or {}).items():
        array = np.asarray(given)
        if array.dtype.name not in DTYPES:
            raise ProtocolError(f"array {name} has dtype {array.dtype}, allowed are {DTYPES}")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        described.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape)})
        blocks.append(little.tobytes())
    header = json.dumps({"kind": kind, "fields": fields or {}, "arrays": described}).encode("utf-8")
    return [PREFIX.pack(MAGIC, len(header), sum(len(b) for b in blocks)), header] + blocks  # noqa: RUF005


def decode(read):
    """The next message as (kind, fields, arrays). read: number of bytes -> exactly as many bytes.

    Raises:
        ProtocolError: the bytes are no message.
    """
    magic, header_length, payload_length = PREFIX.unpack(read(PREFIX.size))
    if magic != MAGIC:
        raise ProtocolError(f"expected a message, found the bytes {magic!r}")
    if header_length > LONGEST_HEADER or payload_length > LARGEST_PAYLOAD:
        raise ProtocolError(f"a message of {header_length} + {payload_length} bytes is too long")
    try:
        header = json.loads(read(header_length).decode("utf-8"))
        kind, fields, described = header["kind"], header["fields"], header["arrays"]
        payload = read(payload_length)
        return kind, fields, _arrays(described, payload)
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"a message's header is broken: {error!r}") from error


def _arrays(described, payload):
    arrays, offset = {}, 0
    for entry in described:
        if entry["dtype"] not in DTYPES or any(n < 0 for n in entry["shape"]):
            raise ProtocolError(f"array {entry} cannot be read")
        dtype = np.dtype(entry["dtype"]).newbyteorder("<")
        count = 1
        for n in entry["shape"]:
            count *= int(n)
        end = offset + count * dtype.itemsize
        if end > len(payload):
            raise ProtocolError("a message is shorter than its arrays")
        array = np.frombuffer(payload, dtype, count, offset).reshape(entry["shape"])
        arrays[entry["name"]] = array.astype(entry["dtype"])  # a copy in native order that may be written to
        offset = end
    if offset != len(payload):
        raise ProtocolError("a message is longer than its arrays")
    return arrays

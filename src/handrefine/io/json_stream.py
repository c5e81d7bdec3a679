"""JSON documents of gigabytes, piece by piece: memory for one entry at a time, whatever the file's size."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from handrefine.errors import InputError
from handrefine.io.files import open_file
from handrefine.io.text_files import check_nesting, decoded, whole_number

_PIECE, MAX_ENTRY = 2**20, 2**25
_SPACE = " \t\n\r"
#: Where an entry stands: keys of mappings, positions in lists.
Place = tuple[str | int, ...]


class Span(NamedTuple):
    """An entry, and the bytes of the file that hold it: from `start` to `end`, exclusive."""

    place: Place
    value: Any
    start: int
    end: int


def walk(path: Path, depth: int) -> Iterator[tuple[Place, Any]]:
    """The entries that lie `depth` levels deep, one after the other in the file's order.

    What ends earlier (numbers, text, empty lists and mappings) is given where it ends. Who has seen enough may
    stop; what follows is not read then, but the file must end as a whole document does.

    Raises:
        InputError: the file is missing, is no JSON, or has an entry of more than 32 MiB.
    """
    for span in spans(path, depth):
        yield span.place, span.value


def spans(path: Path, depth: int) -> Iterator[Span]:
    """The same entries as `walk` gives, with where they stand in the file.

    Raises:
        InputError: as `walk`.
    """
    try:
        with open_file(path) as file:
            _check_end(file)
            yield from _Document(file, path).entries(depth)
    except FileNotFoundError:
        raise InputError("a file is missing", where=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("a file cannot be read", where=path, found=error) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            "a file is not valid JSON",
            where=path,
            found=str(error) or type(error).__name__,
            fix="download or copy it again",
        ) from error


def _check_end(file: IO[bytes]) -> None:
    file.seek(max(0, file.seek(0, 2) - 4096))
    if file.read().rstrip()[-1:] not in (b"}", b"]"):
        raise ValueError("it ends too early")
    file.seek(0)


class _Document:
    """The text that has been read and not yet used."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        #: Parses one value from a position on; undocumented, as old as the module, and what `raw_decode` calls.
        self._scan: Any = vars(json.JSONDecoder(parse_int=whole_number))["scan_once"]
        start = file.read(4)
        rest = start.removeprefix(codecs.BOM_UTF8)
        if len(rest) == len(start) and start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            decoded(start, path)  # refuses it
        self._text, self._at, self._ended = self._decoder.decode(rest), 0, False
        #: Bytes of the file before the character `_counted`, from which on they have not been counted yet.
        self._bytes, self._counted = len(start) - len(rest), 0

    def entries(self, depth: int) -> Iterator[Span]:
        yield from self._below((), depth)
        if self._peek():
            raise ValueError("something follows the document's end")

    def _below(self, place: Place, depth: int) -> Iterator[Span]:
        opened, start = self._peek(), self._byte()
        if depth == 0 or opened not in ("{", "["):
            value = self._value()
            check_nesting(value, self._path)
            yield Span(place, value, start, self._byte())
            return
        self._at += 1
        closed = "}" if opened == "{" else "]"
        if self._peek() == closed:
            self._at += 1
            yield Span(place, {} if opened == "{" else [], start, self._byte())
            return
        number = 0
        while True:
            key: str | int = number
            if opened == "{":
                key = self._key()
            yield from self._below((*place, key), depth - 1)
            number += 1
            after = self._peek()
            self._at += 1
            if after == closed:
                return
            if after != ",":
                raise ValueError(
                    f"',' or {closed!r} was expected, not {after!r}, after {'/'.join(map(str, place))}"
                )

    def _key(self) -> str:
        if self._peek() != '"':
            raise ValueError("a key was expected")
        key = self._value()
        key.encode()  # half a character raises a ValueError
        if self._peek() != ":":
            raise ValueError(f"':' was expected after {key!r}")
        self._at += 1
        return key

    def _peek(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except (StopIteration, json.JSONDecodeError):
                if self._ended:
                    raise ValueError("it ends too early, or something else than a value was found") from None
            else:
                if end < len(self._text) or self._ended:  # else a number may go on
                    self._at = end
                    return value
            if len(self._text) - self._at > MAX_ENTRY:
                raise ValueError(f"an entry is broken, or has more than {MAX_ENTRY} characters")
            self._more()

    def _byte(self) -> int:
        """Where the next character stands in the file."""
        passed = self._text[self._counted : self._at]
        self._bytes += len(passed) if passed.isascii() else len(passed.encode())
        self._counted = self._at
        return self._bytes

    def _more(self) -> None:
        """As much again as is left, so that long entries are not begun anew too often."""
        self._byte()
        left = self._text[self._at :]
        piece = self._file.read(max(_PIECE, len(left)))
        self._ended = not piece
        self._text, self._at = left + self._decoder.decode(piece, final=self._ended), 0
        self._counted = 0

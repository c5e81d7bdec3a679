"""A file of InterHand2.6M's annotation with some of its entries changed; all others keep their bytes."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from handrefine.io.json_stream import Span, spans

_PIECE = 2**20


@dataclass(frozen=True, eq=False)
class Changes:
    """New entries, `{capture: {frame: entry}}`.

    original: file whose other captures and frames are kept; None for a file that holds the new entries alone.
    """

    original: Path | None
    entries: Mapping[str, Mapping[str, Any]]

    def joined(self, others: "Changes") -> "Changes":
        """These and those of the same file."""
        entries = {capture: dict(frames) for capture, frames in self.entries.items()}
        for capture, frames in others.entries.items():
            entries.setdefault(capture, {}).update(frames)
        return Changes(self.original, entries)

    def write(self, out: IO[bytes]) -> None:
        """The changed document: as it is read, in memory for one entry at a time beside the new ones."""
        left = {capture: dict(frames) for capture, frames in self.entries.items()}
        if self.original is None:
            out.write(json.dumps(left).encode())
            return
        with self.original.open("rb") as source:
            copy = _Copy(source, out)
            by_capture = groupby(spans(self.original, 2), key=lambda span: span.place[:1])
            last: Span | None = None
            for place, members in by_capture:
                last = _capture(copy, members, left.pop(str(place[0]), {}) if place else {})
            new = ", ".join(f"{json.dumps(capture)}: {json.dumps(frames)}" for capture, frames in left.items())
            if new and last is not None and last.place:
                copy.until(last.end if len(last.place) == 1 else copy.after(b"}", last.end))
                out.write(f", {new}".encode())
            elif new and last is not None:  # the document is empty
                copy.instead(last.start, last.end, f"{{{new}}}")
            copy.rest()


def _capture(copy: "_Copy", members: Iterator[Span], left: dict[str, Any]) -> Span | None:
    """Change the frames of one capture, and add those that it has not; returns its last entry."""
    last = None
    for last in members:
        if len(last.place) == 2 and last.place[1] in left:
            copy.instead(last.start, last.end, json.dumps(left.pop(str(last.place[1]))))
    if last is not None and left:
        new = json.dumps(left)[1:-1]
        if len(last.place) == 1:
            copy.instead(last.start, last.end, f"{{{new}}}")
        else:
            copy.until(last.end)
            copy.out.write(f", {new}".encode())
    return last


class _Copy:
    """What has been copied of a file, byte by byte, and what has taken the place of some of it."""

    def __init__(self, source: IO[bytes], out: IO[bytes]) -> None:
        self.source, self.out, self.at = source, out, 0

    def until(self, end: int) -> None:
        self.source.seek(self.at)
        while self.at < end:
            piece = self.source.read(min(_PIECE, end - self.at))
            if not piece:
                raise EOFError(f"the file has become shorter than {end} bytes")
            self.out.write(piece)
            self.at += len(piece)

    def instead(self, start: int, end: int, text: str) -> None:
        self.until(start)
        self.out.write(text.encode())
        self.at = end

    def after(self, mark: bytes, start: int) -> int:
        """Where the first `mark` from `start` on ends; only spaces may come before it."""
        self.source.seek(start)
        return start + self.source.read(_PIECE).index(mark) + len(mark)

    def rest(self) -> None:
        self.source.seek(self.at)
        while piece := self.source.read(_PIECE):
            self.out.write(piece)


def write_json_files(contents: Mapping[Path, dict[str, Any] | Changes]) -> None:
    """All files under their final names, or none: every one is complete before the first is renamed."""
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary[path].open("wb") as file:
                if isinstance(content, Changes):
                    content.write(file)
                else:
                    file.write(json.dumps(content).encode())
        for path, unfinished in temporary.items():
            unfinished.replace(path)
    finally:
        for unfinished in temporary.values():
            unfinished.unlink(missing_ok=True)

"""A file of InterHand2.6M's annotation with some frames of one capture changed, written as it is read."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from handrefine.json_stream import Place, walk


@dataclass(frozen=True, eq=False)
class Changes:
    """New entries of frames of one capture.

    original: file whose other captures and frames are kept; None for a file that holds the new entries alone.
    """

    original: Path | None
    capture: str
    frames: Mapping[str, Any]

    def text(self) -> Iterator[str]:
        """The changed document, in pieces: `{capture: {frame: entry}}`."""
        left, opening = dict(self.frames), "{"
        for capture, entries in self._captures():
            members = ((str(place[1]), entry) for place, entry in entries if len(place) == 2)
            if capture == self.capture:
                members = _changed(members, left)
            yield f"{opening}{json.dumps(capture)}: "
            yield from _members(members)
            opening = ", "
        yield "}"

    def _captures(self) -> Iterator[tuple[str, Iterator[tuple[Place, Any]]]]:
        """The captures of the original, then that of the changes if it is not among them."""
        seen = False
        if self.original is not None:
            for capture, entries in groupby(walk(self.original, 2), key=lambda item: item[0][:1]):
                if capture:
                    seen = seen or capture == (self.capture,)
                    yield str(capture[0]), entries
        if not seen:
            yield self.capture, iter(())


def _changed(members: Iterator[tuple[str, Any]], changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for frame, entry in members:
        yield frame, changes.pop(frame, entry)
    yield from changes.items()


def _members(entries: Iterator[tuple[str, Any]]) -> Iterator[str]:
    opening = "{"
    for frame, entry in entries:
        yield f"{opening}{json.dumps(frame)}: {json.dumps(entry)}"
        opening = ", "
    yield "{}" if opening == "{" else "}"


def write_json_files(contents: Mapping[Path, dict[str, Any] | Changes]) -> None:
    """All files under their final names, or none: every one is complete before the first is renamed."""
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary[path].open("w", encoding="utf-8") as file:
                file.writelines(content.text() if isinstance(content, Changes) else [json.dumps(content)])
        for path, unfinished in temporary.items():
            unfinished.replace(path)
    finally:
        for unfinished in temporary.values():
            unfinished.unlink(missing_ok=True)

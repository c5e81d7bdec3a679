"""Where things stand in JSON files of gigabytes: groups of neighbouring entries, found once and then remembered.

Reading one sequence of a large dataset would otherwise mean to read all of it. What was found is kept in the
user's cache (`~/.cache/handrefine/json`, or below XDG_CACHE_HOME) as long as the file has the same size and time;
removing the cache costs only time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from handrefine.io.files import cache_json, open_file
from handrefine.io.json_stream import Span
from handrefine.io.text_files import parse_json

#: Smaller files are read again each time.
WORTH_KEEPING = 2**24
_VERSION = 1
Key = tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Neighbouring entries of a list or of one mapping that have a key in common.

    first: position or key of the first entry. start, end: bytes of the file, from the first entry's value to the
    end of the last one's.
    """

    key: Key
    first: int | str
    start: int
    end: int

    def read(self, path: Path) -> Any:
        """The entries: a list of them, or a mapping, as it is in the file.

        Raises:
            InputError: the bytes are no JSON any more.
        """
        with open_file(path) as file:
            file.seek(self.start)
            text = file.read(self.end - self.start).decode("utf-8", "replace")
        if isinstance(self.first, int):
            return parse_json(f"[{text}]", path)
        return parse_json(f"{{{json.dumps(self.first)}: {text}}}", path)


def groups_of(path: Path, entries: Callable[[], Iterator[tuple[Key, Span]]]) -> list[Group]:
    """The groups of a file, from the cache if it knows them.

    Args:
        entries: gives the key and the span of every entry, in the file's order; called where nothing is known.
    """
    status = path.stat() if path.is_file() else None
    kept = None
    if status is not None and status.st_size >= WORTH_KEEPING:
        stamp = [str(path.resolve()), status.st_size, status.st_mtime_ns, _VERSION]
        kept = _folder() / f"{hashlib.sha256(json.dumps(stamp).encode()).hexdigest()[:32]}.json"
        if (known := _known(kept)) is not None:
            return known
    found = list(_grouped(entries()))
    if kept is not None:
        cache_json(kept, [astuple(group) for group in found])
    return found


def _grouped(entries: Iterator[tuple[Key, Span]]) -> Iterator[Group]:
    now: Group | None = None
    above: tuple[str | int, ...] = ()
    for key, span in entries:
        if now is not None and now.key == key and span.place[:-1] == above:
            now = Group(key, now.first, now.start, span.end)
            continue
        if now is not None:
            yield now
        now, above = Group(key, span.place[-1], span.start, span.end), span.place[:-1]
    if now is not None:
        yield now


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "handrefine" / "json"


def _known(path: Path) -> list[Group] | None:
    try:
        return [Group(tuple(key), *rest) for key, *rest in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None

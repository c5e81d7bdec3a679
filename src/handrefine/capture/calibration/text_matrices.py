"""Matrices in plain text, as small projects write them: numbers in rows, perhaps below headings such as `R:`.

A heading that names no kind of value (`cam0`) is the camera of what follows. What has no heading is told by its
shape: 3x3 is K, the second 3x3 is R, 3x4 and 4x4 are [R | t] or a projection matrix, rows of 12 or 16 numbers are
a pose a frame, before which the frame's number may stand; a line of a name and 21 numbers is Middlebury's K, R
and t.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.calibration.rotations import is_orthonormal
from handrefine.capture.calibration.value_kinds import camera_in, is_section, kind_of, split_name
from handrefine.io.text_files import read_text

ENDINGS = (".txt", ".dat", ".csv", ".cal", ".cam", "")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(rf"[\[\](){{}}\s]*(?:{_NUMBER}[\[\](){{}}\s]+)*{_NUMBER}[\[\](){{}}\s]*")
#: How many coefficients a lens may have.
_LENSES = (4, 5, 8, 12, 14)


def read_text_content(path: Path) -> dict[str, Any]:
    """The matrices of one file by what they are, below their cameras where it names some; the first of each
    counts."""
    blocks = _blocks(read_text(path))
    if len(blocks) == 1 and not blocks[0][0]:  # the file's name says more than a shape
        _, heading, rows = blocks[0]
        kind = kind_of(path.stem, rows) or (split_name(path.stem, rows) or ("",))[0]
        if kind and not heading and not _is_path(_array(rows)):
            return {kind: _array(rows)}
    return _content(blocks)


def _content(blocks: list[tuple[str, str, list[list[float]]]]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    headed = any(heading for _, heading, _ in blocks)
    place = ""
    for camera, heading, values in _pieces(blocks):
        place = camera or place
        own = found.setdefault(place, {})
        if heading:
            own.setdefault(heading, float(values.ravel()[0]) if values.size == 1 else values)
            continue
        if _is_path(values):
            own.setdefault("RT", values[:, -16:] if values.shape[1] > 15 else values[:, -12:])
            if values.shape[1] in (13, 17):
                own.setdefault("frames", values[:, 0].astype(int))
            continue
        if values.size == 21:
            own.update({"K": values.ravel()[:9], "R": values.ravel()[9:18], "t": values.ravel()[18:]})
            continue
        if values.shape == (3, 3) and "K" in own and ({"RT", "t"} & set(own)) and not camera and not headed:
            place = str(len(found))  # the next camera begins
            if "" in found:
                found = {"0": found.pop(""), **found}
            own = found.setdefault(place, {})
        kind = _kind_by_shape(values, own)
        if kind == "RT" and "RT" in own:
            own["RT"] = np.concatenate([np.reshape(own["RT"], (-1, *values.shape)), values[None]])
        elif kind is not None and not (kind == "D" and headed):
            own.setdefault(kind, values)
    return {**found.pop("", {}), **found}


def _pieces(blocks: list[tuple[str, str, list[list[float]]]]) -> Iterator[tuple[str, str, np.ndarray]]:
    """The blocks; those without heading cut where rows change their length, and R from a t that follows it."""
    for camera, heading, rows in blocks:
        cuts = [0, *(k for k in range(1, len(rows)) if len(rows[k]) != len(rows[k - 1]))]
        name = camera
        parts = [rows] if heading else [rows[a:b] for a, b in zip(cuts, [*cuts[1:], len(rows)], strict=True)]
        for part in parts:
            values = _array(part)
            for piece in (values[:3], values[3:]) if values.shape == (4, 3) and not heading else (values,):
                yield name, heading, piece
                name = ""


def _array(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows) if len({len(row) for row in rows}) == 1 else np.concatenate([np.array(r) for r in rows])


def _is_path(values: np.ndarray) -> bool:
    """Rows of whole transformations: a pose a frame."""
    return values.ndim == 2 and len(values) > 1 and values.shape[1] in (12, 13, 16, 17)


def _blocks(text: str) -> list[tuple[str, str, list[list[float]]]]:
    """Rows of numbers with their camera, if it was named since the last block, and the heading above them; an
    empty line and a comment end a block."""
    blocks: list[tuple[str, str, list[list[float]]]] = []
    camera, heading, rows = "", "", []

    def close() -> None:
        nonlocal rows, camera
        if rows:
            blocks.append((camera, heading, rows))
            camera = ""
        rows = []

    for line in text.splitlines():
        content = line.partition("#")[0].replace(",", " ").replace(";", " ").strip()
        named = re.match(r"([A-Za-z][\w .\-]*?)\s*[:=]\s*(.*)$", content)
        if named is None:
            named = re.match(r"(\w*[A-Za-z][\w.\-]*)\s+(\S.*)$", content) or re.match(
                r"\[?([A-Za-z][\w .\-]*)\]?()$", content
            )
        if named and (kind_of(named[1]) == "name" or (is_section(named[1]) and named[2].strip().isdecimal())):
            close()
            heading, camera = "", named[2].strip() or named[1]  # `Camera 0`, `name: cam0`
            continue
        if named and (not named[2] or _NUMBERS.fullmatch(named[2]) or set(named[2]) <= set("[({ ")):
            close()
            heading, content = _heading(named[1]), named[2]
            if not heading:
                camera = camera_in(named[1]) or named[1].strip()
        if content.strip("[](){} ") and _NUMBERS.fullmatch(content):
            rows.append([float(number) for number in re.findall(_NUMBER, content)])
        elif line.lstrip().startswith("#") or (rows and not line.strip()):
            close()
            heading = ""
    close()
    return blocks


def _heading(name: str) -> str:
    """The name where it says what its numbers are (`K`, `R_02`); empty where it names a camera."""
    known = (
        kind_of(name, 0.0)
        or split_name(name, ())
        or re.match(r"(depth|calib|time|date|unit|error)", name, re.IGNORECASE)
    )
    return name.strip() if known else ""


def _kind_by_shape(values: np.ndarray, found: dict[str, Any]) -> str | None:
    if values.shape == (3, 3):
        return "R" if "K" in found or is_orthonormal(values) else "K"
    if values.shape in ((4, 4), (3, 4)) or values.size in (12, 16):
        return "RT" if is_orthonormal(values.reshape(-1, 4)[:3, :3]) else "P"
    if values.size == 3:
        return "t"
    return "D" if values.size in _LENSES and (values.ndim == 1 or 1 in values.shape) else None

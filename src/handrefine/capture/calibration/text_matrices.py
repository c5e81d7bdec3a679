"""Matrices in plain text, as small projects write them: numbers in rows, perhaps below headings such as `R:`.

A folder holds one file or several a camera; those whose names end alike (`c0.dat`, `rot_trans_c0.dat`) belong
together. What has no heading is told by its shape: 3x3 is K, the second 3x3 is R, 3x4 and 4x4 are [R | t].
"""

import re
from pathlib import Path

import numpy as np

from handrefine.capture.calibration.named_values import camera_of, is_camera, kind_of
from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.errors import InputError
from handrefine.io.text_files import read_text

ENDINGS = (".txt", ".dat", ".csv", ".cal", "")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def read_text_matrices(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: no camera is found, or one lacks something.
    """
    files = (
        [path]
        if path.is_file()
        else sorted(f for f in path.iterdir() if f.is_file() and f.suffix.lower() in ENDINGS)
    )
    groups: dict[str, dict[str, np.ndarray]] = {}
    for file in files:
        values = text_values(read_text(file))
        if values:
            group = groups.setdefault(camera_name(file.stem), {})
            for kind, value in values.items():
                group.setdefault(kind, value)
    cameras = {name: values for name, values in groups.items() if is_camera(values)}
    if not cameras:
        raise InputError(
            "no camera is found in the text files",
            where=path,
            expected="a 3x3 camera matrix, then R and t, or [R | t], or a 3x4 projection matrix, a camera",
        )
    return [camera_of(name, values, path) for name, values in cameras.items()]


def camera_name(stem: str) -> str:
    """The camera of a file's name: its last part with a number (`rot_trans_c0` is `c0`), else the whole name."""
    parts = re.findall(r"[A-Za-z]*\d+", stem)
    return parts[-1] if parts else stem


def text_values(text: str) -> dict[str, np.ndarray]:
    """The matrices of one file by what they are; the first of each kind counts."""
    found: dict[str, np.ndarray] = {}
    for heading, rows in _blocks(text):
        values = (
            np.array(rows) if len({len(row) for row in rows}) == 1 else np.concatenate([np.array(r) for r in rows])
        )
        kind = kind_of(heading) if heading else _kind_by_shape(values, found)
        if kind is not None:
            found.setdefault(kind, values)
    return found


def _blocks(text: str) -> list[tuple[str, list[list[float]]]]:
    """Rows of numbers with the heading above them; an empty line and a comment end a block."""
    blocks: list[tuple[str, list[list[float]]]] = []
    heading, rows = "", []

    def close() -> None:
        nonlocal rows
        if rows:
            blocks.append((heading, rows))
        rows = []

    for line in text.splitlines():
        content = line.partition("#")[0].replace(",", " ").replace(";", " ").strip(" \t[]")
        named = re.match(r"([A-Za-z][\w ]*?)\s*[:=]\s*(.*)$", content) or re.match(r"([A-Za-z]\w*)\s*()$", content)
        if named:
            close()
            heading, content = named[1], named[2].strip(" []")
        numbers = re.findall(_NUMBER, content)
        if numbers and not re.sub(_NUMBER, "", content).strip(" \t[]"):
            rows.append([float(number) for number in numbers])
        elif not content and rows:
            close()
            heading = ""
    close()
    return blocks


def _kind_by_shape(values: np.ndarray, found: dict[str, np.ndarray]) -> str | None:
    if values.shape == (3, 3):
        return "R" if "K" in found or _is_rotation(values) else "K"
    if values.shape in ((4, 4), (3, 4)):
        return "RT" if _is_rotation(values[:3, :3]) else "P"
    if values.size == 3:
        return "t"
    return "D" if values.ndim == 1 or 1 in values.shape else None


def _is_rotation(R: np.ndarray) -> bool:
    return bool(np.abs(R @ R.T - np.eye(3)).max() < 5e-3)

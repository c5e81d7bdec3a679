"""Rigs in TOML, as aniposelib (anipose, sleap-anipose) and caliscope write them.

A table a camera: `size`, `matrix`, `distortions`, `rotation` (a rotation vector) and `translation`, from world to
camera, in the unit of the calibration board; `fisheye = true` for that lens. caliscope leaves out cameras that say
`ignore`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handrefine.capture.calibration.rig_camera import RigCamera, matrix, opencv_camera
from handrefine.capture.calibration.structured import read_structured
from handrefine.errors import InputError

_KEYS = ("matrix", "rotation", "translation")


def is_toml(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".toml"


def read_toml(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: no camera is found, or one lacks something.
    """
    found = [_camera(key, table, path) for key, table in _tables(read_structured(path)) if not table.get("ignore")]
    if not found:
        raise InputError(
            "no camera is found in the calibration", where=path, expected=f"tables with {', '.join(_KEYS)}"
        )
    return found


def _tables(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            if "matrix" in value:
                yield key, value
            else:
                yield from _tables(value)


def _camera(key: str, table: Mapping[str, Any], path: Path) -> RigCamera:
    name = str(table.get("name", key))
    missing = [k for k in _KEYS if table.get(k) in (None, [])]
    if missing:
        raise InputError(
            "a camera is not calibrated to the end", where=f"{path}, {name}", found=f"no {', '.join(missing)}"
        )
    size = None
    if "size" in table:
        width, height = matrix(table["size"], (2,), f"{path}, {name}: the size")
        size = int(width), int(height)
    return opencv_camera(
        name,
        table["matrix"],
        (table["rotation"], table["translation"]),
        table.get("distortions"),
        fisheye=bool(table.get("fisheye")),
        size=size,
        where=path,
    )

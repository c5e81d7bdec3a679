"""EasyMocap's intri.yml and extri.yml: OpenCV's YAML with `K_NAME`, `dist_NAME`, and `R_NAME`, `Rot_NAME`,
`T_NAME`.

`R` is a rotation vector and `Rot` its matrix, from world to camera; the unit is the board's, mostly metres.
"""

from pathlib import Path

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera, opencv_camera
from handrefine.capture.calibration.structured import read_structured
from handrefine.errors import InputError

_FILES = ("intri.yml", "extri.yml")


def is_easymocap(path: Path) -> bool:
    """The folder of the two files, or one of them."""
    folder = path if path.is_dir() else path.parent
    return (path.is_dir() or path.name in _FILES) and all((folder / name).is_file() for name in _FILES)


def read_easymocap(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: a file is damaged, or a camera lacks something.
    """
    folder = path if path.is_dir() else path.parent
    intri, extri = (read_structured(folder / name) for name in _FILES)
    return [_camera(str(name), intri, extri, folder) for name in intri.get("names", ())]


def _camera(name: str, intri: dict, extri: dict, folder: Path) -> RigCamera:
    def value(content: dict, file: str, *keys: str) -> object:
        for key in keys:
            if f"{key}_{name}" in content:
                return content[f"{key}_{name}"]
        raise InputError("a camera lacks something", where=folder / file, expected=f"{keys[0]}_{name}")

    size = None
    if f"H_{name}" in intri and f"W_{name}" in intri:
        size = int(np.ravel(intri[f"W_{name}"])[0]), int(np.ravel(intri[f"H_{name}"])[0])
    return opencv_camera(
        name,
        value(intri, _FILES[0], "K"),
        (value(extri, _FILES[1], "Rot", "R"), value(extri, _FILES[1], "T")),
        intri.get(f"dist_{name}", intri.get(f"D_{name}")),
        size=size,
        where=folder,
    )

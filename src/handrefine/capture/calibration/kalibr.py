"""Kalibr's camchain.yaml: pinhole cameras with `radtan` or `equidistant` lenses, chained from one to the next.

`T_cn_cnm1` takes points from the camera before to this one; the first camera is the world
(github.com/ethz-asl/kalibr/wiki/yaml-formats). Without a chain `T_cam_imu` is taken: the IMU is the world. Metres.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.calibration.named_values import split_extrinsics
from handrefine.capture.calibration.rig_camera import RigCamera, matrix, opencv_camera
from handrefine.capture.calibration.structured import marks, read_structured
from handrefine.errors import InputError

_LENSES = {"radtan": False, "equidistant": True, "equi": True, "none": False}


def is_kalibr(path: Path) -> bool:
    first = marks(path, ".yaml", ".yml").get("cam0")
    return isinstance(first, Mapping) and "distortion_coeffs" in first and "intrinsics" in first


def read_kalibr(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: a camera is of another model, or its place in the chain is missing.
    """
    content = read_structured(path)
    names = sorted((name for name in content if str(name).startswith("cam")), key=lambda name: int(name[3:]))
    cameras, T = [], np.eye(4)
    chained = len(names) < 2 or "T_cn_cnm1" in content[names[1]]
    for k, name in enumerate(names):
        here = f"{path}, {name}"
        key = "T_cn_cnm1" if chained else "T_cam_imu"
        if k or not chained:
            if key not in content[name]:
                raise InputError("a camera has no place in the chain", where=here, expected=key)
            R, t = split_extrinsics(content[name][key], here)
            step = np.vstack([np.column_stack([R, t]), [0, 0, 0, 1]])
            T = step @ T if chained else step
        cameras.append(_camera(name, content[name], T, path))
    return cameras


def _camera(name: str, values: Mapping[str, Any], T: np.ndarray, path: Path) -> RigCamera:
    here = f"{path}, {name}"
    model, lens = values.get("camera_model", "pinhole"), values.get("distortion_model", "none")
    if model != "pinhole" or lens not in _LENSES:
        raise InputError(
            "this camera model of Kalibr's is not read",
            where=here,
            expected="pinhole with radtan or equidistant",
            found=f"{model} with {lens}",
        )
    fx, fy, cx, cy = matrix(values["intrinsics"], (4,), f"{here}: intrinsics")
    width, height = matrix(values["resolution"], (2,), f"{here}: resolution") if "resolution" in values else (0, 0)
    return opencv_camera(
        name,
        [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        (T[:3, :3], T[:3, 3]),
        values.get("distortion_coeffs"),
        fisheye=_LENSES[lens],
        size=(int(width), int(height)) if width else None,
        where=path,
    )

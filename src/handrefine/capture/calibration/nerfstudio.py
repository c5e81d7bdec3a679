"""transforms.json of nerfstudio and instant-ngp: a camera-to-world matrix an image, with OpenGL's axes.

Intrinsics stand at the top or beside each image: `fl_x fl_y cx cy w h`, and `k1 k2 p1 p2` (`k1` to `k4` of
OPENCV_FISHEYE). Pixel centres lie at one half, as in COLMAP, from which most of these files come
(docs.nerf.studio/quickstart/data_conventions.html).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.calibration.camera_names import cameras_of_images, names_of_paths
from handrefine.capture.calibration.named_values import split_extrinsics
from handrefine.capture.calibration.rig_camera import RigCamera, lens_of, matrix
from handrefine.capture.calibration.rotations import checked_rotation
from handrefine.capture.calibration.structured import marks, read_structured
from handrefine.errors import InputError


def is_nerfstudio(path: Path) -> bool:
    frames = marks(_file(path), ".json").get("frames")
    first = frames[0] if isinstance(frames, list) and frames else None
    return isinstance(first, Mapping) and "transform_matrix" in first


def read_nerfstudio(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: a camera lacks something, is of another model, or moves and its frames have no numbers.
    """
    file = _file(path)
    content = read_structured(file)
    frames = content["frames"]
    paths = [str(frame.get("file_path", k)) for k, frame in enumerate(frames)]
    names = names_of_paths(paths)
    posed = [_camera(name, {**content, **frame}, file) for name, frame in zip(names, frames, strict=True)]
    return cameras_of_images(paths, posed, file)


def _file(path: Path) -> Path:
    return path / "transforms.json" if path.is_dir() else path


def _camera(name: str, values: Mapping[str, Any], path: Path) -> RigCamera:
    here = f"{path}, {name}"
    R, t = split_extrinsics(values["transform_matrix"], here)
    to_opencv = np.diag([1.0, -1.0, -1.0])
    R_cam_world = checked_rotation(to_opencv @ R.T, here)
    missing = [key for key in ("w", "h") if key not in values]
    if missing or not {"fl_x", "camera_angle_x"} & set(values):
        raise InputError("a camera has no intrinsics", where=here, expected="w, h, fl_x, fl_y, cx, cy")
    width, height = int(values["w"]), int(values["h"])
    fx = float(values.get("fl_x") or width / 2 / math.tan(values["camera_angle_x"] / 2))
    K = [
        [fx, 0, values.get("cx", width / 2)],
        [0, values.get("fl_y", fx), values.get("cy", height / 2)],
        [0, 0, 1],
    ]
    model = str(values.get("camera_model", "OPENCV")).upper()
    if model not in ("OPENCV", "PINHOLE", "PERSPECTIVE", "SIMPLE_PINHOLE", "OPENCV_FISHEYE"):
        raise InputError("this camera model is not read", where=here, found=model)
    fisheye = model == "OPENCV_FISHEYE"
    order = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    lens = lens_of([float(values.get(key) or 0) for key in order], fisheye=fisheye, where=here)
    intrinsics = matrix(K, (3, 3), f"{here}: the camera matrix")
    return RigCamera(name, intrinsics, R_cam_world, -R_cam_world @ t, lens, (width, height))

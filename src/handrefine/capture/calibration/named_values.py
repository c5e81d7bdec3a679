"""A camera of values under the many names that people give them: `K`, `mtx`, `camera_matrix`, `rvec`, `RT` ..."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera, decomposed, matrix, opencv_camera
from handrefine.errors import InputError

#: What a value is, by its name in lower case without `_`, `-`, `.` and spaces.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "K": ("k", "cameramatrix", "intrinsic", "intrinsics", "intrinsicmatrix", "mtx", "matrix", "kmat", "cammatrix"),
    "D": (
        *("d", "dist", "distcoeffs", "distcoeff", "distcoefs", "distcoef", "distortion", "distortions"),
        *("distortioncoefficients", "distortioncoeffs", "distortionvector", "coeffs"),
    ),
    "R": ("r", "rot", "rotation", "rotationmatrix", "rvec", "rotationvector", "rmat"),
    "t": ("t", "trans", "translation", "translationvector", "tvec", "tvecs", "position"),
    "RT": (
        *("rt", "extrinsic", "extrinsics", "extrinsicmatrix", "extrinsicsmatrix", "w2c", "worldtocamera"),
        *("worldtocam", "worldviewtransform", "m", "viewmatrix", "tcamworld", "camfromworld"),
    ),
    "RT_world_cam": ("rtworldcam", "c2w", "cameratoworld", "camtoworld", "twc", "tworldcam", "worldfromcam"),
    "P": ("p", "projection", "projectionmatrix", "projmatrix", "proj"),
    "size": ("size", "imagesize", "imgsize", "resolution", "imageresolution"),
    "width": ("width", "imagewidth", "w", "imwidth"),
    "height": ("height", "imageheight", "h", "imheight"),
    "model": ("model", "distortionmodel", "cameramodel", "fisheye", "type"),
    "name": ("name", "camera", "cameraname", "camid", "cameraid", "id", "serial", "serialnumber"),
}
_KIND = {alias: kind for kind, names in ALIASES.items() for alias in names}
_FISHEYE = ("fisheye", "equidistant", "kannala", "equi", "kb4", "true")


def kind_of(name: object) -> str | None:
    """What a value of that name is; None where the name says nothing."""
    return _KIND.get(re.sub(r"[\s_.-]", "", str(name)).lower())


def by_kind(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values by what they are; of two of one kind the first."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        kind = kind_of(name)
        if kind is not None and value is not None:
            found.setdefault(kind, value)
    return found


def is_camera(values: object) -> bool:
    """Whether a mapping holds the intrinsics of one camera."""
    if not isinstance(values, Mapping):
        return False
    kinds = by_kind(values)
    if "P" in kinds and np.size(kinds["P"]) == 12:
        return True
    return "K" in kinds and not isinstance(kinds["K"], Mapping) and np.size(kinds["K"]) in (4, 9)


def camera_of(name: str, values: Mapping[Any, Any], where: object) -> RigCamera:
    """One camera, of a mapping that holds K, perhaps a lens, and R and t, `[R | t]`, or a projection matrix.

    Raises:
        InputError: something is missing or impossible.
    """
    kinds, here = by_kind(values), f"{where}, camera {name}"
    size = _size(kinds, here)
    if "K" not in kinds and "P" in kinds:
        K, R, t = decomposed(matrix(kinds["P"], (3, 4), f"{here}: the projection matrix"))
        return opencv_camera(name, K, (R, t), kinds.get("D"), size=size, where=where)
    if "K" not in kinds:
        raise InputError("a camera has no camera matrix", where=here, found=", ".join(map(str, values)))
    fisheye = any(word in str(kinds.get("model", "")).lower() for word in _FISHEYE)
    return opencv_camera(
        name,
        _intrinsics(kinds["K"]),
        _extrinsics(kinds, here),
        kinds.get("D"),
        fisheye=fisheye,
        size=size,
        where=where,
    )


def _intrinsics(values: Any) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    if numbers.size == 4:  # fx, fy, cx, cy
        fx, fy, cx, cy = numbers.ravel()
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return numbers.reshape(3, 3) if numbers.size == 9 else numbers


def _extrinsics(kinds: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    for kind in ("RT", "RT_world_cam"):
        if kind in kinds:
            R, t = split_extrinsics(kinds[kind], where)
            return (R, t) if kind == "RT" else (R.T, -R.T @ t)
    if "t" in kinds and np.size(kinds["t"]) in (12, 16):  # T, a whole transformation
        return split_extrinsics(kinds["t"], where)
    if "R" in kinds and "t" in kinds:
        return kinds["R"], kinds["t"]
    if "P" in kinds and np.size(kinds["P"]) == 12:
        P = matrix(kinds["P"], (3, 4), where)
        Rt = np.linalg.solve(_intrinsics(kinds["K"]), P)
        return Rt[:, :3] / np.cbrt(np.linalg.det(Rt[:, :3])), Rt[:, 3] / np.cbrt(np.linalg.det(Rt[:, :3]))
    raise InputError(
        "a camera has no rotation and translation",
        where=where,
        expected="R and t, [R | t], or a projection matrix",
        found=", ".join(sorted(kinds)),
    )


def split_extrinsics(values: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """R and t of a 3x4 or 4x4 transformation.

    Raises:
        InputError: it is none.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.size not in (12, 16):
        raise InputError("a transformation is neither 3x4 nor 4x4", where=where, found=numbers.shape)
    Rt = numbers.reshape(-1, 4)
    return Rt[:3, :3], Rt[:3, 3]


def _size(kinds: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    if "size" in kinds:
        width, height = matrix(kinds["size"], (2,), f"{where}: the image size")
    elif "width" in kinds and "height" in kinds:
        width, height = kinds["width"], kinds["height"]
    else:
        return None
    return int(width), int(height)

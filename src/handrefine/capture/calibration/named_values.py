"""A camera of values whose kinds are known: intrinsics in any form, a lens, and where it stands, frame by
frame."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera, RigPath, matrix, opencv_camera
from handrefine.capture.calibration.rotations import decomposed
from handrefine.capture.calibration.value_kinds import COEFFICIENTS, FISHEYE_COEFFICIENTS
from handrefine.errors import InputError

_FISHEYE = ("fisheye", "equidistant", "kannala", "equi", "kb4")
_YES = ("1", "true", "yes")


def camera_of(name: str, kinds: Mapping[str, Any], where: object) -> RigCamera:
    """One camera, of K, perhaps a lens, and R and t, `[R | t]`, or a projection matrix.

    Raises:
        InputError: something is missing or impossible.
    """
    here = f"{where}, camera {name}"
    size = _size(kinds, here)
    model = str(kinds.get("model", "")).lower()
    fisheye = model in _YES or any(word in model for word in _FISHEYE)
    K = _intrinsics(kinds, here)
    lens = {"distortion": _distortion(kinds, fisheye), "fisheye": fisheye, "size": size, "where": where}
    if K is None:
        if np.size(kinds.get("P", ())) != 12:
            raise InputError("a camera has no camera matrix", where=here, found=", ".join(map(str, kinds)))
        K, R, t = decomposed(matrix(kinds["P"], (3, 4), f"{here}: the projection matrix"))
        return opencv_camera(name, K, (R, t), **lens)
    poses = _poses(kinds, K, here)
    if len(poses) == 1:
        return opencv_camera(name, K, poses[0], **lens)
    cameras = [opencv_camera(name, K, pose, **lens) for pose in poses]
    return cameras[0].moving(RigPath.of(cameras, _frames(kinds, len(poses), here)))


def _intrinsics(kinds: Mapping[str, Any], where: str) -> np.ndarray | None:
    if "K" not in kinds:
        fx = kinds.get("fx", np.ravel(kinds["f"])[0] if "f" in kinds else None)
        fy = kinds.get("fy", np.ravel(kinds["f"])[-1] if "f" in kinds else fx)
        cx, cy = (
            kinds.get(key, np.ravel(kinds["c"])[k] if "c" in kinds else None) for k, key in enumerate(("cx", "cy"))
        )
        if fx is None or cx is None or cy is None:
            return None
        return np.array([[float(fx), 0, float(cx)], [0, float(fy), float(cy)], [0, 0, 1]])
    numbers = np.asarray(kinds["K"], np.float64)
    if numbers.size == 4:  # fx, fy, cx, cy
        fx, fy, cx, cy = numbers.ravel()
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if numbers.ndim == 3 and numbers.shape[1:] == (3, 3):
        if np.ptp(numbers, axis=0).max() > 1e-6 * np.abs(numbers).max():
            raise InputError(
                "a camera's matrix changes from frame to frame", where=where,
                fix="import the parts of equal zoom one by one",
            )  # fmt: skip
        return numbers[0]
    K = matrix(numbers, (3, 3), f"{where}: the camera matrix")
    if K[2, 2] not in (0, 1) or (np.abs(K[:2, 2]).max() == 0 and np.abs(K[2, :2]).max() > 0):
        raise InputError(
            "a camera matrix is none", where=where, found=K.tolist(),
            expected="[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]", fix="is it transposed, or a projection matrix?",
        )  # fmt: skip
    return K


def _distortion(kinds: Mapping[str, Any], fisheye: bool) -> Any:
    if "D" in kinds:
        return kinds["D"]
    order = FISHEYE_COEFFICIENTS if fisheye else COEFFICIENTS
    if not set(order) & set(kinds):
        return None
    values = [float(kinds.get(key, 0.0)) for key in order]
    if fisheye:
        return values
    count = max((n for n in (4, 5, 8, 12) if any(values[:n]) and not any(values[n:])), default=4)
    return values[: next(n for n in (4, 5, 8, 12) if n >= count and not any(values[n:]))]


def _poses(kinds: Mapping[str, Any], K: np.ndarray, where: str) -> list[tuple[Any, Any]]:
    """R and t of every pose: one, unless the camera moves."""
    if (
        "t" in kinds
        and np.size(kinds["t"]) in (12, 16)
        and np.ndim(kinds["t"]) == 2
        and np.shape(kinds["t"])[1] == 4
    ):
        return [split_extrinsics(kinds["t"], where)]  # T, a whole transformation
    for kind in ("RT", "RT_world_cam"):
        if kind in kinds:
            parts = [split_extrinsics(one, where) for one in _transformations(kinds[kind], where)]
            return parts if kind == "RT" else [(R.T, -R.T @ t) for R, t in parts]
    turns = _rotations(kinds, where)
    if turns is not None and "t" in kinds:
        shifts = np.asarray(kinds["t"], np.float64)
        if shifts.size % 3 or shifts.size // 3 != len(turns):
            raise InputError(
                "a translation has another shape, or there are not as many as rotations", where=where,
                expected=f"3 numbers for each of {len(turns)} rotations", found=shifts.shape,
            )  # fmt: skip
        return list(zip(turns, shifts.reshape(-1, 3), strict=True))
    if np.size(kinds.get("P", ())) == 12:
        Rt = np.linalg.solve(K, matrix(kinds["P"], (3, 4), where))
        scale = np.cbrt(np.linalg.det(Rt[:, :3]))
        return [(Rt[:, :3] / scale, Rt[:, 3] / scale)]
    raise InputError(
        "a camera has no rotation and translation",
        where=where,
        expected="R and t, [R | t], or a projection matrix",
        found=", ".join(sorted(map(str, kinds))),
    )


def _rotations(kinds: Mapping[str, Any], where: str) -> list[np.ndarray] | None:
    """Matrices, or three or four numbers each."""
    if "R" in kinds:
        R = np.asarray(kinds["R"], np.float64)
        if R.size == 9:
            return [R.reshape(3, 3)]
        if R.size in (3, 4):
            return [R.ravel()]
        if R.ndim == 3 and R.shape[1:] in ((3, 3), (3, 1), (1, 3)):
            return list(R)
        if R.ndim == 2 and R.shape[1] in (3, 4, 9):
            return [row.reshape(3, 3) if row.size == 9 else row for row in R]
        raise InputError("a rotation of the calibration has another shape", where=where, found=R.shape)
    for kind in ("q", "q_xyzw"):
        if kind in kinds:
            q = matrix(np.asarray(kinds[kind], np.float64).reshape(-1, 4), (np.size(kinds[kind]) // 4, 4), where)
            return list(q if kind == "q" else q[:, [3, 0, 1, 2]])
    return None


def _transformations(values: Any, where: str) -> list[np.ndarray]:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim == 3 and numbers.shape[1:] in ((3, 4), (4, 4)):
        return list(numbers)
    if numbers.ndim == 2 and numbers.shape[1] in (12, 16) and len(numbers) > 1:
        return [row.reshape(-1, 4) for row in numbers]
    return [numbers]


def _frames(kinds: Mapping[str, Any], count: int, where: str) -> tuple[int, ...]:
    """The frames of the poses by number; none where the file does not say."""
    if "frames" not in kinds:
        return ()
    frames = [int(frame) for frame in np.ravel(kinds["frames"]).tolist()]
    if len(frames) != count or len(set(frames)) < count:
        raise InputError(
            "the frames of a moving camera do not fit its poses", where=where,
            expected=f"{count} different numbers", found=f"{len(frames)}, of them {len(set(frames))} different",
        )  # fmt: skip
    return tuple(frames)


def split_extrinsics(values: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """R and t of a 3x4 or 4x4 transformation.

    Raises:
        InputError: it is none.
    """
    numbers = np.asarray(values, np.float64)
    if numbers.size == 6:  # a rotation vector and a translation
        return numbers.ravel()[:3], numbers.ravel()[3:]
    if numbers.size not in (12, 16):
        raise InputError("a transformation is neither 3x4 nor 4x4", where=where, found=numbers.shape)
    Rt = numbers.reshape(-1, 4)
    if numbers.size == 16 and np.abs(Rt[3, :3]).max() > 0 and np.abs(Rt[:3, 3]).max() == 0:
        Rt = Rt.T  # it acts on rows
    if numbers.size == 16 and np.abs(Rt[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise InputError("the last row of a 4x4 transformation is not 0 0 0 1", where=where, found=Rt[3].tolist())
    return Rt[:3, :3], Rt[:3, 3]


def _size(kinds: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    if "size" in kinds:
        width, height = matrix(np.ravel(np.asarray(kinds["size"]))[:2], (2,), f"{where}: the image size")
    elif "width" in kinds and "height" in kinds:
        width, height = (np.ravel(kinds[key])[0] for key in ("width", "height"))
    else:
        return None
    return int(width), int(height)

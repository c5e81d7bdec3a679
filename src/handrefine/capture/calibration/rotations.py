"""Rotations in the forms that files have them in: matrices, rotation vectors, quaternions, angles about axes."""

from collections.abc import Callable, Mapping
from itertools import permutations

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from handrefine.errors import InputError

#: How far a rotation of a file may be off, as an entry of `R R^T`.
_ROUNDING = 5e-3


def _quaternion(q: np.ndarray) -> np.ndarray:
    return Rotation.from_quat(q[[1, 2, 3, 0]]).as_matrix()


def _angles(order: str, degrees: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Angles about the axes, in the order in which they stand: xyz about fixed axes is `Rz Ry Rx`."""

    def matrix(angles: np.ndarray) -> np.ndarray:
        about = {axis: angles["xyz".index(axis)] for axis in "xyz"}
        return Rotation.from_euler(order, [about[axis] for axis in order], degrees=degrees).as_matrix()

    return matrix


#: What three numbers may mean: by the words of `--convention`. The angle about x comes first in the file.
OF_THREE: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "vector": lambda v: Rotation.from_rotvec(v).as_matrix(),
    **{
        f"euler-{''.join(order)}{unit}": _angles("".join(order), unit == "-deg")
        for unit in ("", "-deg")
        for order in permutations("xyz")
    },
}
#: What four numbers may mean.
OF_FOUR: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "wxyz": _quaternion,
    "xyzw": lambda q: _quaternion(q[[3, 0, 1, 2]]),
}


def as_array(values: object, where: object) -> np.ndarray:
    """The numbers of a calibration, of any shape.

    Raises:
        InputError: they are none.
    """
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("a calibration holds something else than numbers", where=where, found=error) from None


def rotation(values: object, where: object) -> Float[np.ndarray, "3 3"]:
    """A rotation matrix, perhaps mirrored, of one, of a rotation vector, or of a quaternion (w, x, y, z).

    Raises:
        InputError: it is none of them.
    """
    numbers = as_array(values, where)
    if not np.isfinite(numbers).all():
        raise InputError("a calibration is not finite", where=where)
    if numbers.size == 3:
        return OF_THREE["vector"](numbers.ravel())
    if numbers.size == 4:
        if not 0.99 < np.linalg.norm(numbers) < 1.01:
            raise InputError(
                "a quaternion of the calibration has not the length 1", where=where, found=numbers.tolist()
            )
        return OF_FOUR["wxyz"](numbers.ravel())
    if numbers.size != 9:
        raise InputError(
            "a rotation of the calibration has another shape", where=where, found=numbers.shape,
            expected="a 3x3 matrix, a rotation vector of 3 numbers or a quaternion of 4",
        )  # fmt: skip
    return orthonormal(numbers.reshape(3, 3), where)


def is_orthonormal(R: Float[np.ndarray, "3 3"]) -> bool:
    """Whether columns are of unit length and at right angles, as far as files round them."""
    return bool(np.abs(R @ R.T - np.eye(3)).max() < _ROUNDING)


def orthonormal(R: Float[np.ndarray, "3 3"], where: object) -> Float[np.ndarray, "3 3"]:
    """The nearest matrix of unit columns at right angles, its determinant 1 or -1.

    Raises:
        InputError: it is far from one.
    """
    if not is_orthonormal(R):
        raise InputError(
            "a rotation of the calibration is not orthonormal", where=where, found=np.round(R, 4).tolist()
        )
    u, _, vt = np.linalg.svd(R)
    return u @ vt


def checked_rotation(R: Float[np.ndarray, "3 3"], where: object) -> Float[np.ndarray, "3 3"]:
    """Raises:
    InputError: it is no rotation; one whose determinant is -1 is called what it is.
    """
    R = orthonormal(R, where)
    if np.linalg.det(R) < 0:
        raise InputError(
            "a rotation of the calibration is a mirror image (its determinant is -1)",
            where=where,
            fix="one axis is flipped: negate that row (camera axis) or column (world axis) of R and t",
        )
    return R


def decomposed(P: Float[np.ndarray, "3 4"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K, R and t of a projection matrix `K [R | t]`, K with a positive diagonal and K[2, 2] = 1."""
    P = P * np.sign(np.linalg.det(P[:, :3]))
    flip = np.eye(3)[::-1]
    q, r = np.linalg.qr((flip @ P[:, :3]).T)
    K, R = flip @ r.T @ flip, flip @ q.T
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    return K / K[2, 2], R, np.linalg.solve(K, P[:, 3])

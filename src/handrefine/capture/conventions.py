"""Which way a calibration's rotations and translations are meant: what `--convention` names, and what it does.

Papers and tools disagree: world to camera or back, matrices by rows or by columns, the camera's position in the
place of the translation, other axes, left-handed worlds, angles in the place of a rotation vector. A convention
is a form, and what differs from OpenCV's ways, joined by `+`: `cam-to-world+right-up-back`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from jaxtyping import Float

from handrefine.capture.calibration.rig_camera import RigCamera, RigPath
from handrefine.capture.calibration.rotations import OF_FOUR, OF_THREE
from handrefine.errors import InputError

#: R and t of one or of many poses, to R and t from world to camera.
_Poses = tuple[Float[np.ndarray, "*pose 3 3"], Float[np.ndarray, "*pose 3"]]


def _turned(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.einsum("...ij,...j->...i", R, t)


def _flipped(R: np.ndarray) -> np.ndarray:
    return R.swapaxes(-1, -2)


@dataclass(frozen=True)
class _Form:
    words: str
    apply: Callable[[np.ndarray, np.ndarray], _Poses]


#: Forms by their names, the usual ones first.
FORMS: Mapping[str, _Form] = {
    "world-to-cam": _Form("x_cam = R x_world + t", lambda R, t: (R, t)),
    "cam-to-world": _Form("x_world = R x_cam + t", lambda R, t: (_flipped(R), -_turned(_flipped(R), t))),
    "position": _Form("R from world to camera, t the camera's position", lambda R, t: (R, -_turned(R, t))),
    "transposed": _Form("the rotations transposed, t as it is", lambda R, t: (_flipped(R), t)),
    "shifted-first": _Form("x_cam = R (x_world + t)", lambda R, t: (R, _turned(R, t))),
}
_DIRECTIONS = {"right": 0, "left": 0, "down": 1, "up": 1, "forward": 2, "back": 2}
_OWN, _OPENGL = "right-down-forward", "right-up-back"


def _axes(names: tuple[str, ...]) -> Float[np.ndarray, "3 3"]:
    """OpenCV's coordinates of points in those of a camera whose axes point so."""
    matrix = np.zeros((3, 3))
    for row, name in enumerate(names):
        matrix[_DIRECTIONS[name], row] = -1.0 if name in ("left", "up", "back") else 1.0
    return matrix


#: Where a camera's x, y and z axes may point, OpenCV's and OpenGL's first, then the right-handed.
AXES: Mapping[str, Float[np.ndarray, "3 3"]] = dict(
    sorted(
        (
            ("-".join(names), _axes(names))
            for triple in permutations((("right", "left"), ("down", "up"), ("forward", "back")))
            for names in product(*triple)
        ),
        key=lambda item: (item[0] != _OWN, item[0] != _OPENGL, np.linalg.det(item[1]) < 0),
    )
)
_MIRROR = np.diag([1.0, 1.0, -1.0])
_ROTATIONS = {**OF_THREE, **OF_FOUR}


@dataclass(frozen=True)
class Convention:
    """One reading of the rotations and translations of a file.

    axes: where the camera's axes point. mirrored: the world is left-handed. rotation: what its numbers are, where
        they are no matrices.
    """

    form: str = "world-to-cam"
    axes: str = _OWN
    mirrored: bool = False
    rotation: str | None = None

    @property
    def name(self) -> str:
        """As `--convention` takes it."""
        parts = [self.form, *([self.axes] if self.axes != _OWN else []), *(["mirrored"] if self.mirrored else [])]
        return "+".join([*parts, *([self.rotation] if self.rotation else [])])

    @property
    def words(self) -> str:
        told = [FORMS[self.form].words]
        if self.axes != _OWN:
            x, y, z = self.axes.split("-")
            told.append(f"the camera's x axis {x}, y {y}, z {z}" + (" (OpenGL's)" if self.axes == _OPENGL else ""))
        told += ["the world left-handed"] * self.mirrored
        told += [f"rotations as {self.rotation}"] * bool(self.rotation)
        return ", ".join(told)

    def apply(self, camera: RigCamera) -> RigCamera:
        """The camera as it is meant. Its rotation has the determinant -1 where this cannot be the meaning."""
        R, t = self._meant(camera.R_cam_world, camera.t_cam_world, camera.numbers)
        moved = replace(camera, R_cam_world=R, t_cam_world=t)
        if (path := camera.path) is None:
            return moved
        return replace(
            moved, path=RigPath(path.frames, *self._meant(path.R_cam_world, path.t_cam_world, path.numbers))
        )

    def _meant(self, R: np.ndarray, t: np.ndarray, numbers: np.ndarray | None) -> _Poses:
        if self.rotation is not None and numbers is not None:
            matrices = [_ROTATIONS[self.rotation](one) for one in numbers.reshape(-1, numbers.shape[-1])]
            R = np.stack(matrices).reshape(R.shape)
        R, t = FORMS[self.form].apply(R, t)
        A = AXES[self.axes]
        R, t = A @ R, _turned(A, t)
        return (R @ _MIRROR if self.mirrored else R), t


def convention(name: str) -> Convention:
    """Of its name; `opengl` stands for the axes `right-up-back`, `opengl-cam-to-world` for those and that form.

    Raises:
        InputError: there is no such convention.
    """
    found = Convention()
    for part in name.replace("opengl-", f"{_OPENGL}+").split("+"):
        if part in FORMS:
            found = replace(found, form=part)
        elif part in AXES or part == "opengl":
            found = replace(found, axes=part if part in AXES else _OPENGL)
        elif part == "mirrored":
            found = replace(found, mirrored=True)
        elif part in _ROTATIONS:
            found = replace(found, rotation=part)
        else:
            raise InputError(
                "there is no such convention", found=part, where=f"--convention {name}",
                expected=f"{', '.join(FORMS)}; +opengl, or where the camera's axes point, as +right-up-back; "
                f"+mirrored, of a left-handed world; of 3 or 4 numbers: {', '.join(_ROTATIONS)}",
            )  # fmt: skip
    return found


def readings(camera: RigCamera, given: Convention) -> Iterator[Convention]:
    """All conventions under which a camera of the file is one, the usual ones first."""
    for axes, form in product(AXES, FORMS):
        reading = Convention(form, axes, rotation=given.rotation)
        yield replace(reading, mirrored=bool(np.linalg.det(reading.apply(camera).R_cam_world) < 0))
    count = 0 if camera.numbers is None else len(camera.numbers)
    for rotation in {3: OF_THREE, 4: OF_FOUR}.get(count, {}):
        for axes, form in product((_OWN, _OPENGL), FORMS):
            yield Convention(form, axes, rotation=rotation)

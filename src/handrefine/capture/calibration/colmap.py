"""COLMAP's sparse models, as text or binary: cameras.txt and images.txt, or cameras.bin and images.bin.

An image's quaternion and translation go from world to camera; pixel centres lie at one half
(colmap.github.io/format). The unit of length is arbitrary, unless the model was aligned.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from handrefine.capture.calibration.camera_names import cameras_of_images, names_of_paths
from handrefine.capture.calibration.rig_camera import RigCamera, lens_of, matrix
from handrefine.capture.calibration.rotations import OF_FOUR
from handrefine.errors import InputError
from handrefine.io.text_files import read_text

#: COLMAP's models by their number: name, and how many parameters.
_MODELS = (
    *(("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8)),
    *(("OPENCV_FISHEYE", 8), ("FULL_OPENCV", 12), ("FOV", 5), ("SIMPLE_RADIAL_FISHEYE", 4), ("RADIAL_FISHEYE", 5)),
    *(("THIN_PRISM_FISHEYE", 12), ("RAD_TAN_THIN_PRISM_FISHEYE", 16)),
)
#: Models with one focal length; those whose lens is OpenCV's, and those whose is its fisheye.
_ONE_FOCAL = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_OPENCV = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")


@dataclass(frozen=True)
class _Model:
    name: str
    size: tuple[int, int]
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class _Image:
    path: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]


def is_colmap(path: Path) -> bool:
    """A folder that holds a sparse model, or one of its files."""
    return _folder(path) is not None


def _folder(path: Path) -> Path | None:
    """Where the model is: in the folder, in `sparse/0` of a project, or beside one of its files."""
    if path.is_file():
        return _folder(path.parent) if path.stem in ("cameras", "images", "points3D") else None
    for place in (path, path / "0", path / "sparse", path / "sparse" / "0"):
        if any(
            all((place / f"{name}{end}").is_file() for name in ("cameras", "images")) for end in (".txt", ".bin")
        ):
            return place
    return None


def read_colmap(path: Path) -> list[RigCamera]:
    """One camera a folder of images, or an image, whichever tells them apart.

    Raises:
        InputError: a file is damaged, a model is not known, or a camera moves and its frames have no numbers.
    """
    path = _folder(path) or path
    binary = (path / "images.bin").is_file()
    try:
        models = dict(_binary_models(path / "cameras.bin") if binary else _text_models(path / "cameras.txt"))
        images = list(_binary_images(path / "images.bin") if binary else _text_images(path / "images.txt"))
    except (struct.error, ValueError, IndexError, UnicodeDecodeError, OSError) as error:
        raise InputError("a COLMAP model is damaged", where=path, found=error) from error
    paths = [image.path for image in images]
    posed = [_camera(name, image, models, path) for name, image in zip(names_of_paths(paths), images, strict=True)]
    return cameras_of_images(paths, posed, path)


def _camera(name: str, image: _Image, models: Mapping[int, _Model], path: Path) -> RigCamera:
    here = f"{path}, camera {name}"
    if image.camera not in models:
        raise InputError("an image's camera is not in the model", where=here, found=image.camera)
    model = models[image.camera]
    p = model.parameters
    fx, fy, (cx, cy), rest = (
        (p[0], p[0], p[1:3], p[3:]) if model.name in _ONE_FOCAL else (p[0], p[1], p[2:4], p[4:])
    )
    if model.name in _FISHEYE:
        lens = lens_of((*rest, 0, 0, 0)[:4], fisheye=True, where=here)
    elif model.name in _OPENCV:
        lens = lens_of((*rest, 0, 0, 0)[:4] if len(rest) < 4 else rest, where=here)
    else:
        raise InputError(
            "this model of COLMAP's is not read", where=here, found=model.name,
            expected=", ".join((*_OPENCV, *_FISHEYE)), fix="undistort with `colmap image_undistorter`",
        )  # fmt: skip
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    q = np.array(image.quaternion)
    norm = math.hypot(*image.quaternion)
    if not 0 < norm < np.inf:  # nor NaN
        raise InputError("a quaternion of the calibration is none", where=here, found=q.tolist())
    R = OF_FOUR["wxyz"](q / norm)
    return RigCamera(name, K, R, matrix(image.translation, (3,), here), lens, model.size)


def _lines(path: Path) -> list[str]:
    return [line for line in read_text(path).splitlines() if not line.startswith("#")]


def _text_models(path: Path) -> Iterator[tuple[int, _Model]]:
    for line in _lines(path):
        if line.strip():
            number, name, width, height, *parameters = line.split()
            yield int(number), _Model(name, (int(width), int(height)), tuple(map(float, parameters)))


def _text_images(path: Path) -> Iterator[_Image]:
    """Two lines an image; the second, its points, may be empty."""
    lines = _lines(path)
    while lines and not lines[0].strip():
        lines.pop(0)
    for line in lines[::2]:
        if line.strip():
            _, *numbers, camera, name = line.split(maxsplit=9)
            q, t = numbers[:4], numbers[4:]
            yield _Image(name, int(camera), tuple(map(float, q)), tuple(map(float, t)))


def _binary_models(path: Path) -> Iterator[tuple[int, _Model]]:
    content, at = path.read_bytes(), 8
    for _ in range(struct.unpack_from("<Q", content)[0]):
        number, model, width, height = struct.unpack_from("<iiQQ", content, at)
        name, count = _MODELS[model]
        yield number, _Model(name, (width, height), struct.unpack_from(f"<{count}d", content, at + 24))
        at += 24 + 8 * count


def _binary_images(path: Path) -> Iterator[_Image]:
    content, at = path.read_bytes(), 8
    for _ in range(struct.unpack_from("<Q", content)[0]):
        _, *pose, camera = struct.unpack_from("<i7di", content, at)
        end = content.index(b"\0", at + 64)
        name = content[at + 64 : end].decode()
        n_points = struct.unpack_from("<Q", content, end + 1)[0]
        yield _Image(str(PurePosixPath(name)), camera, tuple(pose[:4]), tuple(pose[4:]))
        at = end + 9 + 24 * n_points

"""The formats of calibrations that are known, and which one a file has."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from handrefine.capture.calibration import opencv, text_matrices
from handrefine.capture.calibration.colmap import is_colmap, read_colmap
from handrefine.capture.calibration.easymocap import is_easymocap, read_easymocap
from handrefine.capture.calibration.kalibr import is_kalibr, read_kalibr
from handrefine.capture.calibration.nerfstudio import is_nerfstudio, read_nerfstudio
from handrefine.capture.calibration.rig_camera import RigCamera, unique_names
from handrefine.capture.calibration.toml_rig import is_toml, read_toml
from handrefine.errors import InputError


@dataclass(frozen=True)
class CalibrationFormat:
    """marks: by what it is recognised, in words. recognise: cheap, and never raises of a file that exists."""

    name: str
    marks: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path], list[RigCamera]]


#: In the order in which they are asked; the last ones take what no other knows.
FORMATS: tuple[CalibrationFormat, ...] = (
    CalibrationFormat("colmap", "a folder of cameras.txt and images.txt, or .bin", is_colmap, read_colmap),
    CalibrationFormat("easymocap", "intri.yml and extri.yml", is_easymocap, read_easymocap),
    CalibrationFormat("nerfstudio", "transforms.json", is_nerfstudio, read_nerfstudio),
    CalibrationFormat("kalibr", "camchain.yaml", is_kalibr, read_kalibr),
    CalibrationFormat("toml", "calibration.toml of anipose or caliscope", is_toml, read_toml),
    CalibrationFormat(
        "opencv",
        "YAML, JSON, npz or npy with K, dist, R, t; or a folder of such files",
        lambda path: _has_ending(path, opencv.ENDINGS),
        opencv.read_opencv,
    ),
    CalibrationFormat(
        "text",
        "text files of matrices, or a folder of them",
        lambda path: _has_ending(path, text_matrices.ENDINGS),
        opencv.read_opencv,
    ),
)


def read_calibration(path: Path, name: str = "auto") -> list[RigCamera]:
    """The cameras of a calibration file or folder; `name` says its format, which `auto` finds by the content.

    Raises:
        InputError: nothing is there, no format knows it, or it is damaged.
    """
    if not path.exists():
        raise InputError("the calibration does not exist", where=path)
    for candidate in FORMATS:
        if name == candidate.name or (name == "auto" and candidate.recognise(path)):
            return _finite(unique_names(_read(candidate, path), path), path)
    if name == "auto":
        raise InputError(
            "no known calibration format", where=path, expected="; ".join(f"{f.name}: {f.marks}" for f in FORMATS)
        )
    raise InputError(
        "there is no such calibration format", found=name, expected=", ".join(f.name for f in FORMATS)
    )


def _finite(cameras: list[RigCamera], path: Path) -> list[RigCamera]:
    """The same; numbers that are none may stand in any format.

    Raises:
        InputError: a camera holds some.
    """
    for camera in cameras:
        poses = [(of.R_cam_world, of.t_cam_world) for of in (camera, camera.path) if of is not None]
        if not all(np.isfinite(values).all() for values in (camera.K, *chain(*poses))):
            raise InputError("a calibration is not finite", where=f"{path}, camera {camera.name}")
    return cameras


def _read(form: CalibrationFormat, path: Path) -> list[RigCamera]:
    """Files come from many programs: a value of another kind or shape than the format says is damage."""
    try:
        return form.read(path)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"the calibration is damaged, or not of the format {form.name}",
            where=path,
            expected=form.marks,
            found=repr(error),
        ) from error


def _has_ending(path: Path, endings: tuple[str, ...]) -> bool:
    """Of the file, or of one in the folder or in its folders."""
    files = [path] if path.is_file() else (file for deep in ("*", "*/*", "*/*/*") for file in path.glob(deep))
    return any(file.suffix.lower() in endings and file.is_file() for file in files)

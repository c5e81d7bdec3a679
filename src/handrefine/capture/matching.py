"""Which camera of the calibration took which images, and at which size."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.sources import FrameSource
from handrefine.errors import InputError

#: Ratios of width to height that are the same up to rounding.
_SAME_RATIO = 0.01
#: Focal lengths that occur, as shares of the larger side of the image.
_SHORTEST, _LONGEST = 0.15, 30.0


def match_cameras(
    sources: Mapping[str, FrameSource], calibrated: Sequence[RigCamera]
) -> tuple[list[RigCamera], list[str]]:
    """The calibration of every source, named as the source, at the size of its images; and what to tell of it.

    Names are the same, or end in the same number where that is unambiguous (`cam0` and `c0`).

    Raises:
        InputError: a source has no calibration, or its images have another shape than those it was made with.
    """
    names = {camera.name: camera for camera in calibrated}
    notes, found, taken = [], [], set()
    by_number = _by_number(names)
    for name, source in sources.items():
        camera = names.get(name)
        if camera is None and (number := _number(name)) in by_number:
            camera = names[by_number[number]]
            notes.append(f"{name} has the calibration of {camera.name}: the numbers are the same")
        if camera is None:
            raise InputError(
                "a camera is not in the calibration", where=name, expected=f"one of {', '.join(names)}",
                fix="name the images as the calibration does: --video NAME=FILE",
            )  # fmt: skip
        taken.add(camera.name)
        found.append(_on_path(_at_size(camera, name, source.size, notes), source, notes))
    if len(taken) < len(found):
        raise InputError("two cameras have one and the same calibration", found=", ".join(sources))
    left = [other for other in names if other not in taken]
    if left:
        notes.append(f"without images, left out: {', '.join(left)}")
    return found, notes


def _number(name: str) -> str | None:
    digits = re.findall(r"\d+", name)
    return digits[-1].lstrip("0") or "0" if digits else None


def _by_number(names: Mapping[str, RigCamera]) -> dict[str, str]:
    """Names by the number they end in, where all differ."""
    numbers = {name: _number(name) for name in names}
    known = [n for n in numbers.values() if n is not None]
    return {n: name for name, n in numbers.items() if n is not None and known.count(n) == 1}


def _at_size(camera: RigCamera, name: str, size: tuple[int, int], notes: list[str]) -> RigCamera:
    made = camera.size
    if made is not None and made != size:
        if abs(made[0] / made[1] / (size[0] / size[1]) - 1) > _SAME_RATIO:
            raise InputError(
                "the calibration was made for images of another shape",
                where=f"camera {name}",
                expected="{}x{} px (width x height)".format(*made),
                found="{}x{} px".format(*size),
                fix="calibrate at the size of the images: nobody can guess where a crop moved the principal point",
            )
        notes.append(f"{name}: the calibration of {made[0]}x{made[1]} px is scaled to {size[0]}x{size[1]} px")
    scaled = camera.resized(*size)
    if not (0 < scaled.K[0, 2] < size[0] and 0 < scaled.K[1, 2] < size[1]):
        raise InputError(
            "the principal point lies outside of the images: the calibration was made at another size",
            where=f"camera {name}",
            found=f"({scaled.K[0, 2]:.0f}, {scaled.K[1, 2]:.0f}) in images of {size[0]}x{size[1]} px",
        )
    _check_focal_length(scaled, size)
    return replace(scaled, name=name, size=size)


def _check_focal_length(camera: RigCamera, size: tuple[int, int]) -> None:
    """Raises:
    InputError: no lens is that long or short: it is not told in pixels.
    """
    focal = np.array([camera.K[0, 0], camera.K[1, 1]])
    if (focal < _SHORTEST * max(size)).any() or (focal > _LONGEST * max(size)).any():
        raise InputError(
            "the focal length cannot be in pixels",
            where=f"camera {camera.name}",
            expected=f"{_SHORTEST * max(size):.0f} to {_LONGEST * max(size):.0f} px "
            f"in images of {size[0]}x{size[1]} px",
            found=f"{focal[0]:.4g}, {focal[1]:.4g}",
            fix="where it is in millimetres: multiply by the image's width, divide by the sensor's; where it is a "
            "share of the image's size: multiply by that",
        )


def _on_path(camera: RigCamera, source: FrameSource, notes: list[str]) -> RigCamera:
    """The camera with its path at the numbers of the source's frames.

    Raises:
        InputError: the poses name no frames and are not as many as the images, or they name others.
    """
    path, numbers = camera.path, source.numbers
    if path is None:
        return camera
    frames = path.frames
    if not frames:
        if len(path.t_cam_world) != len(numbers):
            raise InputError(
                "a moving camera's poses are not as many as its images, and the file does not name their frames",
                where=f"camera {camera.name}", expected=len(numbers), found=len(path.t_cam_world),
                fix="name them: `frames` in the file, or the number before each row",
            )  # fmt: skip
        frames = tuple(numbers)
    elif numbers[0] == 0 and set(frames) == {n + 1 for n in numbers}:  # ffmpeg counts a video's images from 1
        frames = tuple(frame - 1 for frame in frames)
        notes.append(f"{camera.name}: its poses count frames from 1, its images from 0")
    missing = sorted(set(numbers) - set(frames))
    if len(missing) == len(numbers):
        raise InputError(
            "a moving camera has no pose at any of its images", where=f"camera {camera.name}",
            expected=f"some of the frames {numbers[0]} to {numbers[-1]}", found=f"{min(frames)} to {max(frames)}",
        )  # fmt: skip
    notes.append(f"{camera.name} moves: {len(numbers) - len(missing)} of {len(numbers)} images have a pose")
    return replace(camera, path=replace(path, frames=frames))

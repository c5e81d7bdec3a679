"""Cameras where a format knows image files only: whose images they are, and whether their camera moved."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera, RigPath
from handrefine.errors import InputError

_NUMBERED = re.compile(r"(.*?[A-Za-z0-9])[_\-. ](?:frame[_\-. ]?)?(\d+)")


def names_of_paths(paths: Sequence[str]) -> list[str]:
    """The folder that tells images of different cameras apart; in one folder what stands before the frame's number
    (`cam0_0001.png`) where that differs, else the image's name without its ending.

    Raises:
        InputError: there is no image at all.
    """
    if not paths:
        raise InputError("the calibration holds no image")
    parts = [PurePosixPath(path.replace("\\", "/")) for path in paths]
    folders = [path.parent.name for path in parts]
    stems = [path.stem for path in parts]
    if len(set(folders)) > 1:
        return folders
    numbered = [_NUMBERED.fullmatch(stem) for stem in stems]
    before = [match[1] for match in numbered if match]
    return before if len(before) == len(stems) and len(set(before)) > 1 else stems


def cameras_of_images(paths: Sequence[str], posed: Sequence[RigCamera], where: object) -> list[RigCamera]:
    """The cameras that took the images, by name: still ones, and moving ones by the numbers of their frames.

    Args:
        posed: of every image, named as `names_of_paths` says.

    Raises:
        InputError: a camera has several poses, and its images' names do not say at which frames, or its images are
            of several cameras.
    """
    groups: dict[str, list[tuple[str, RigCamera]]] = {}
    for path, camera in zip(paths, posed, strict=True):
        groups.setdefault(camera.name, []).append((path, camera))
    return [_camera(group, where) for group in groups.values()]


def _camera(group: Sequence[tuple[str, RigCamera]], where: object) -> RigCamera:
    (_, first), *_ = group
    if all(same_pose(first, camera) for _, camera in group):
        return first
    for path, camera in group:
        if np.abs(camera.K / first.K[0, 0] - first.K / first.K[0, 0]).max() > 1e-3 or camera.size != first.size:
            raise InputError(
                "images of one name or folder are of several cameras, or their zoom changes",
                where=f"{where}, {path}",
                fix="put every camera's images into a folder of its own",
            )  # fmt: skip
    digits = [re.findall(r"\d+", PurePosixPath(path.replace("\\", "/")).stem) for path, _ in group]
    frames = [int(found[-1]) for found in digits if found]
    if len(set(frames)) < len(group):
        raise InputError(
            "a camera has several poses: it moved, or its images are of several cameras",
            where=f"{where}, camera {first.name}",
            expected="a frame's number at the end of every image's name, each once",
            fix="put every camera's images into a folder of its own",
        )
    order = np.argsort(frames).tolist()
    return first.moving(RigPath.of([group[k][1] for k in order], [frames[k] for k in order]))


def same_pose(one: RigCamera, other: RigCamera) -> bool:
    """Whether two poses are the same, up to what a bundle adjustment leaves: 0.1 degrees and a thousandth."""
    scale = max(float(np.linalg.norm(one.t_cam_world)), 1e-9)
    return bool(
        np.abs(one.R_cam_world - other.R_cam_world).max() < 2e-3
        and np.linalg.norm(one.t_cam_world - other.t_cam_world) < 2e-3 * scale
    )

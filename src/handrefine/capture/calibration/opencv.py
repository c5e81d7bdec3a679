"""Calibrations as programs around OpenCV store them: YAML, JSON, npz or npy, one file or a folder of them.

How values may be arranged, `arrangement` says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.calibration import text_matrices
from handrefine.capture.calibration.arrangement import cameras_in
from handrefine.capture.calibration.named_values import camera_of
from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.calibration.structured import read_structured
from handrefine.capture.calibration.text_matrices import read_text_content
from handrefine.errors import InputError

#: Folders of cameras may hold folders of poses.
_DEEPEST = 2
ENDINGS = (".json", ".yaml", ".yml", ".npz", ".npy")


def read_opencv(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: no camera is found, or one lacks something.
    """
    cameras = cameras_in(_content(path))
    if not cameras:
        raise InputError(
            "no camera is found in the calibration",
            where=path,
            expected="K, dist, R and t (or their usual other names) of every camera",
        )
    return [camera_of(name, values, path) for name, values in cameras.items()]


def _content(path: Path, depth: int = 0) -> Any:
    """Of a file; of a folder a mapping of what is in it, the folders of cameras included."""
    if path.is_file():
        if path.suffix.lower() == ".npy":  # it says nothing of itself but its name
            return {path.stem: read_structured(path)}
        return read_structured(path) if path.suffix.lower() in ENDINGS else read_text_content(path)
    entries = sorted(entry for entry in path.iterdir() if readable(entry, depth))
    contents = {entry: _content(entry, depth + 1) for entry in entries}
    if len(contents) == 1 and depth == 0:
        return next(iter(contents.values()))
    if depth and (path_of_frames := _path_of_frames(contents)):
        return path_of_frames
    found: dict[str, Any] = {}
    for entry, content in contents.items():
        inner = content.get(entry.stem, content) if entry.suffix.lower() == ".npy" else content
        found[entry.stem if entry.is_file() and entry.stem not in found else entry.name] = inner
    return found


def _path_of_frames(contents: Mapping[Path, Any]) -> dict[str, Any]:
    """Of files that are named by their frames' numbers and hold nothing but a pose each; else nothing."""
    alone = all(isinstance(content, Mapping) and set(content) == {"RT"} for content in contents.values())
    if not alone or not all(entry.is_file() and entry.stem.isdecimal() for entry in contents):
        return {}
    poses = [np.asarray(content["RT"]) for content in contents.values()]
    if len(poses) < 2 or any(pose.shape not in ((3, 4), (4, 4)) for pose in poses):
        return {}
    return {"RT": np.stack(poses), "frames": [int(entry.stem) for entry in contents]}


def readable(entry: Path, depth: int = 0) -> bool:
    """Whether an entry of a folder may hold calibrations, by its name; images do not."""
    if entry.is_dir():
        return depth < _DEEPEST and any(readable(inner, depth + 1) for inner in entry.iterdir())
    return entry.suffix.lower() in (*ENDINGS, *text_matrices.ENDINGS) and entry.name[0] != "."

"""Calibrations as programs around OpenCV store them: YAML, JSON or npz, one file for all cameras or one a camera.

Read are: a mapping of cameras, also below `cameras`; a list of cameras with names; stacks (`K` of C x 3 x 3, with
`dist`, `R`, `t`, and perhaps `names`); values with the camera in their names (`K_cam0`, `dist_cam0`, `K1`, `D1`);
and what `cv2.stereoCalibrate` returns (`K1 D1 K2 D2 R T`: the first camera is the world).
"""

import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from handrefine.capture.calibration.named_values import by_kind, camera_of, is_camera, kind_of
from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.calibration.structured import read_structured
from handrefine.errors import InputError

ENDINGS = (".json", ".yaml", ".yml", ".npz")


def read_opencv(path: Path) -> list[RigCamera]:
    """Raises:
    InputError: no camera is found, or one lacks something.
    """
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in ENDINGS)
        contents = {file.stem: read_structured(file) for file in files}
        cameras = {name: content for name, content in contents.items() if is_camera(content)}
    else:
        content = read_structured(path)
        cameras = _cameras(content) if isinstance(content, Mapping | list) else {}
    if not cameras:
        raise InputError(
            "no camera is found in the calibration",
            where=path,
            expected="K, dist, R and t (or their usual other names) of every camera",
        )
    return [camera_of(name, values, path) for name, values in cameras.items()]


def _cameras(content: Mapping[Any, Any] | list[Any]) -> dict[str, Mapping[Any, Any]]:
    """Values by camera, whatever way the file arranges them."""
    if isinstance(content, list):
        named = [item for item in content if is_camera(item)]
        return {str(by_kind(item).get("name", k)): item for k, item in enumerate(named)}
    if is_camera(content):
        return {str(by_kind(content).get("name", "0")): content}
    found = {str(name): item for name, item in content.items() if is_camera(item)}
    if found:
        return found
    ways = (arrange(content) for arrange in (_stereo, _stacked, _suffixed))
    below = (_cameras(item) for item in content.values() if isinstance(item, Mapping | list))
    return next((cameras for cameras in chain(ways, below) if cameras), {})


def _stereo(content: Mapping[str, Any]) -> dict[str, Mapping[Any, Any]]:
    """`K1 D1 K2 D2 R T`, and every other spelling that ends in 1 and 2, left and right."""
    ends = next(
        (e for e in (("1", "2"), ("L", "R"), ("_left", "_right"), ("Left", "Right")) if _has(content, e)), None
    )
    shared = by_kind(content)
    if ends is None or "R" not in shared or "t" not in shared:
        return {}
    poses = ({"R": np.eye(3), "t": np.zeros(3)}, {"R": shared["R"], "t": shared["t"]})
    return {
        end.strip("_"): {name.removesuffix(end): value for name, value in content.items() if name.endswith(end)}
        | pose
        for end, pose in zip(ends, poses, strict=True)
    }


def _has(content: Mapping[str, Any], ends: tuple[str, str]) -> bool:
    return all(
        any(name.endswith(end) and kind_of(name.removesuffix(end)) == "K" for name in map(str, content))
        for end in ends
    )


def _stacked(content: Mapping[str, Any]) -> dict[str, Mapping[Any, Any]]:
    K = by_kind(content).get("K", by_kind(content).get("P"))
    if isinstance(K, Mapping):  # kinds of mappings by camera
        return {
            str(name): {kind: values[name] for kind, values in content.items() if _by_name(values, name)}
            for name in K
        }
    if K is None or np.ndim(K) != 3:
        return {}
    names = content.get("names", content.get("cameras", range(len(K))))
    count = len(K)
    return {
        str(names[k]): {
            key: v[k] for key, v in content.items() if np.ndim(v) > 0 and len(v) == count and kind_of(key)
        }
        for k in range(count)
    }


def _by_name(values: Any, name: Any) -> bool:
    return isinstance(values, Mapping) and name in values


def _suffixed(content: Mapping[str, Any]) -> dict[str, Mapping[Any, Any]]:
    """`K_cam0`, `cam0_K` and `K0`."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in content.items():
        for head, tail in _splits(str(key)):
            if kind_of(head):
                groups.setdefault(tail, {})[head] = value
                break
            if kind_of(tail):
                groups.setdefault(head, {})[tail] = value
                break
    return {name: values for name, values in groups.items() if is_camera(values)}


def _splits(key: str) -> list[tuple[str, str]]:
    places = [(key[: m.start()], key[m.end() :]) for m in re.finditer(r"[_/.\- ]", key)]
    digits = re.fullmatch(r"(.*?\D)(\d+)", key)
    return places + ([(digits[1], digits[2])] if digits else [])

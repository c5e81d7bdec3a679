"""Values of several cameras by camera and by what they are, whichever way files arrange them.

Known are mappings of cameras, lists of cameras with names, mappings by kind (`{"K": {"cam0": ...}}`), sections
(`intrinsics`, `extrinsics`), stacks (`K` of C x 3 x 3), values with the camera in their names (`K_cam0`, `K1`),
and what `cv2.stereoCalibrate` returns (`K1 D1 K2 D2 R T`: the first camera is the world). A folder is a mapping
of its files.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from handrefine.capture.calibration.rotations import is_orthonormal
from handrefine.capture.calibration.value_kinds import camera_in, is_section, kind_of, split_name

Values = dict[str, Any]
#: How many axes one camera's value of a kind has; one more is a stack.
_AXES = {"K": 2, "P": 2, "RT": 2, "RT_world_cam": 2, "R": 2, "t": 1, "D": 1, "q": 1, "size": 1}
_POSES = ("R", "q", "t", "RT", "RT_world_cam")


def cameras_in(content: Any) -> dict[str, Values]:
    """The values of every camera by kind, of cameras that have intrinsics."""
    groups: dict[str, Values] = {}
    for camera, kind, value in _parts(content, ""):
        groups.setdefault(camera, {}).setdefault(kind, value)
    shared = groups.pop("", {})
    stereo = _stereo(groups, shared)
    if stereo:
        return stereo
    stacked = _stacked(shared)
    if stacked and not any(map(has_intrinsics, groups.values())):
        return stacked
    if has_intrinsics(shared) and not any(set(_POSES) & set(values) for values in groups.values()):
        groups = {str(shared.get("name", "0")): {}}
    merged = {name: {**shared, **values} for name, values in groups.items()}
    return {name: values for name, values in merged.items() if has_intrinsics(values)}


def has_intrinsics(values: Mapping[str, Any]) -> bool:
    if np.size(values.get("P", ())) == 12 or np.size(values.get("K", ())) in (4, 9):
        return True
    return bool({"fx", "f"} & set(values)) and bool({"cx", "c"} & set(values))


def _parts(content: Any, camera: str) -> Iterator[tuple[str, str, Any]]:
    """Camera, kind and value of all that is known by its name."""
    if isinstance(content, list):
        for k, item in enumerate(content):
            if isinstance(item, Mapping):
                yield from _parts(item, str(_name_of(item, k)))
        return
    for key, told in content.items() if isinstance(content, Mapping) else ():
        value = _vector(told)
        if isinstance(value, Mapping) or _is_list_of_mappings(value):
            yield from _below(str(key), value, camera)
        elif (kind := kind_of(key, value)) is not None:
            yield camera, kind, value
        elif (split := split_name(str(key), value)) is not None:
            yield split[1], split[0], value
        elif (kind := _by_shape(value)) is not None:
            yield camera_in(str(key)) or camera, kind, value


def _name_of(item: Mapping[Any, Any], k: int) -> object:
    return next((v for key, v in item.items() if kind_of(key) == "name" and isinstance(v, str | int)), k)


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _below(key: str, value: Any, camera: str) -> Iterator[tuple[str, str, Any]]:
    kind = kind_of(key)
    if isinstance(value, Mapping) and kind in (*_AXES, "model") and _are_names(value):
        if camera and kind in _POSES and all(str(k).isdecimal() for k in value):  # a pose a frame
            yield camera, kind, [_vector(v) for v in value.values()]
            yield camera, "frames", [int(k) for k in value]
            return
        for name, one in value.items():
            yield str(name), kind, _vector(one)
    elif kind is not None or is_section(key):
        yield from _parts(value, camera)
    else:
        yield from _parts(value, camera_in(key) or camera)


def _are_names(values: Mapping[Any, Any]) -> bool:
    """Whether the keys of a mapping are cameras' names (or frames), and not kinds of values."""
    return bool(values) and not any(
        kind_of(key, value) or split_name(str(key), value) or isinstance(_vector(value), Mapping)
        for key, value in values.items()
    )


def _vector(value: Any) -> Any:
    """`{"x": .., "y": .., "z": ..}` as a vector, with `w` as a quaternion (w, x, y, z)."""
    if isinstance(value, Mapping):
        keys = {str(key).lower().removeprefix("q"): item for key, item in value.items()}
        if set(keys) in ({"x", "y", "z"}, {"w", "x", "y", "z"}):
            with suppress(TypeError, ValueError, OverflowError):  # else something else of the file
                return np.array([keys[axis] for axis in "wxyz" if axis in keys], np.float64)
    return value


def _by_shape(value: Any) -> str | None:
    """Of a value whose name is the camera's: a projection matrix or a transformation."""
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):  # text, or rows of different lengths: of something else
        return None
    if numbers.size not in (12, 16):
        return None
    return "RT" if is_orthonormal(numbers.reshape(-1, 4)[:3, :3]) else "P"


def _stereo(groups: Mapping[str, Values], shared: Values) -> dict[str, Values]:
    """Two cameras without poses of their own, and one step from the first to the second. `R1`, `P1` and so on,
    which stand beside them, are of the rectified images."""
    has_step = "t" in shared and bool({"R", "q"} & set(shared)) and np.size(shared["t"]) == 3
    pair = {name: values for name, values in groups.items() if np.size(values.get("K", ())) == 9}
    if not has_step or len(pair) != 2 or any("t" in values for values in pair.values()):
        return {}
    first, second = sorted(pair)
    kept = {name: {k: v for k, v in pair[name].items() if k not in (*_POSES, "P")} for name in pair}
    step = {kind: shared[kind] for kind in _POSES if kind in shared}
    return {first: {**kept[first], "R": np.eye(3), "t": np.zeros(3)}, second: {**kept[second], **step}}


def _stacked(shared: Values) -> dict[str, Values]:
    """Cameras that are rows of arrays. One camera matrix with many poses is of many cameras, unless frames are
    named."""
    of_intrinsics = next((len(shared[kind]) for kind in ("K", "P") if _is_stack(kind, shared.get(kind))), 0)
    of_poses = next((len(shared[kind]) for kind in ("RT", "RT_world_cam", "R", "t") if
                     _is_stack(kind, shared.get(kind))), 0)  # fmt: skip
    count = of_intrinsics or (0 if "frames" in shared else of_poses)
    if not count:
        return {}
    names = shared.get("name", ())
    names = names if np.ndim(names) == 1 and len(names) == count else range(count)

    def row(kind: str, value: Any, k: int) -> Any:
        vectors = kind == "R" and of_intrinsics > 0 and np.shape(value) == (count, 3)  # rotation vectors
        return value[k] if (_is_stack(kind, value) or vectors) and len(value) == count else value

    return {
        str(names[k]): {kind: row(kind, value, k) for kind, value in shared.items() if kind != "name"}
        for k in range(count)
    }


def _is_stack(kind: str, value: Any) -> bool:
    """Whether a value has one axis more than a camera needs; a column of numbers has not."""
    if value is None or kind not in _AXES:
        return False
    shape = np.shape(value)
    if kind == "K" and len(shape) == 2:
        return shape[1] == 4 and shape[0] > 1
    if kind == "R" and len(shape) == 2:
        return shape[1] == 3 and shape[0] not in (1, 3)
    if len(shape) == 2 and _AXES[kind] == 1:
        return 1 not in shape
    return len(shape) > _AXES[kind]

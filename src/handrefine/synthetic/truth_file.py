"""The file of a synthetic video's truth: one `.npz` without pickled objects."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.lens_arrays import COEFFICIENTS, MODELS, MOST_COEFFICIENTS, lens_arrays, lens_at
from handrefine.sequence import Camera, FrameId, ManoParameters, Side
from handrefine.synthetic.truth import SyntheticTruth

#: Before the names of the arrays that belong to the first and the second hand alone.
PREFIXES = ("", "second_")
#: Arrays of a truth file, with the sizes that are known: F frames, C cameras, None for any.
_ARRAYS: Mapping[str, tuple[int | str | None, ...]] = {
    "side": (),
    "flat_hand_mean": (),
    "frames": ("F",),
    "pose_aa": ("F", 48),
    "shape": ("F", 10),
    "trans_m": ("F", 3),
    "verts_world": ("F", None, 3),
    "joints_world": ("F", 21, 3),
    "texture": (None, None, 3),
    "light": (None, 3),
    "camera_names": ("C",),
    "camera_sizes_px": ("C", 2),
    "camera_intrinsics_px": ("C", 4),
    "camera_R_cam_world": ("C", 3, 3),
    "camera_t_cam_world": ("C", 3),
}
#: Those that earlier versions lack.
_LATER: Mapping[str, tuple[int | str | None, ...]] = {
    "open_hand": (),
    MODELS: ("C",),
    COEFFICIENTS: ("C", MOST_COEFFICIENTS),
}
_TEXTS, _TRUTHS = ("side", "camera_names", MODELS), ("flat_hand_mean", "open_hand")


def save_truth(path: Path, *truths: SyntheticTruth) -> None:
    """Write the truth of every hand of one video; complete under its name, or not at all.

    A second hand's own arrays stand beside the first hand's under names that begin with `second_`.
    """
    truth = truths[0]  # cameras, frames and light are common
    cameras = list(truth.cameras.values())
    arrays: dict[str, Any] = {
        "frames": np.array(truth.frames),
        "light": truth.light,
        "camera_names": np.array(list(truth.cameras)),
        "camera_sizes_px": np.array([[c.width, c.height] for c in cameras]),
        "camera_intrinsics_px": np.array([c.intrinsics for c in cameras]),
        "camera_R_cam_world": np.array([c.R_cam_world for c in cameras]),
        "camera_t_cam_world": np.array([c.t_cam_world for c in cameras]),
    }
    if any(camera.lens is not None for camera in cameras):
        arrays |= lens_arrays([camera.lens for camera in cameras])
    for prefix, hand in zip(PREFIXES, truths, strict=False):
        arrays |= {f"{prefix}{name}": values for name, values in _hand_arrays(hand).items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_truth(path: Path, side: Side | None = None) -> SyntheticTruth:
    """The truth of one hand: of the given side where the file holds it, else of the first.

    Raises:
        InputError: the file is missing or no truth file, lacks an array, or holds one that is not finite or does
            not fit the others.
    """
    arrays = _read_arrays(Path(path), side)
    sizes, intrinsics = arrays["camera_sizes_px"], arrays["camera_intrinsics_px"].tolist()
    R, t = arrays["camera_R_cam_world"], arrays["camera_t_cam_world"]
    names = [str(name) for name in arrays["camera_names"]]
    return SyntheticTruth(
        side="left" if arrays["side"] == "left" else "right",
        cameras={
            name: Camera(name, *size, *intrinsics[k], R_cam_world=R[k], t_cam_world=t[k], lens=lens_at(arrays, k))
            for k, (name, size) in enumerate(zip(names, sizes.tolist(), strict=True))
        },
        frames=tuple(FrameId(int(frame)) for frame in arrays["frames"]),
        mano=ManoParameters(
            arrays["pose_aa"],
            arrays["shape"],
            arrays["trans_m"],
            flat_hand_mean=bool(arrays["flat_hand_mean"]),
            open_hand=bool(arrays.get("open_hand", False)),
        ),
        verts_world=arrays["verts_world"],
        joints_world=arrays["joints_world"],
        texture=arrays["texture"],
        light=arrays["light"],
    )


def _hand_arrays(truth: SyntheticTruth) -> dict[str, np.ndarray]:
    """What belongs to one hand alone."""
    return {
        "side": np.array(truth.side),
        "pose_aa": truth.mano.pose_aa,
        "shape": truth.mano.shape,
        "trans_m": truth.mano.trans_m,
        "flat_hand_mean": np.array(truth.mano.flat_hand_mean),
        "open_hand": np.array(truth.mano.open_hand),
        "verts_world": truth.verts_world,
        "joints_world": truth.joints_world,
        "texture": truth.texture,
    }


def _read_arrays(path: Path, side: Side | None) -> dict[str, np.ndarray]:
    arrays = read_npz(path)
    for prefix in PREFIXES[1:]:
        if side is not None and str(arrays.get(f"{prefix}side")) == side:
            arrays |= {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}
    known: dict[str | int | None, int] = {}
    for name, shape in {**_ARRAYS, **{name: _LATER[name] for name in _LATER if name in arrays}}.items():
        if name not in arrays:
            raise InputError(f"a truth file lacks {name!r}", where=path, found=", ".join(arrays))
        values = arrays[name]
        expected = tuple(
            n if n is None or isinstance(n, int) else known.setdefault(n, s)
            for n, s in zip(shape, values.shape, strict=False)
        )
        if len(shape) != values.ndim or any(
            n not in (None, s) for n, s in zip(expected, values.shape, strict=True)
        ):
            raise InputError(f"{name!r} of a truth file has the wrong shape", where=path, found=values.shape)
        kinds = "U" if name in _TEXTS else "b" if name in _TRUTHS else "fiu"
        if values.dtype.kind not in kinds:
            raise InputError(f"{name!r} of a truth file holds other things", where=path, found=values.dtype)
        if values.dtype.kind == "f" and name != COEFFICIENTS and not np.isfinite(values).all():
            raise InputError(f"{name!r} of a truth file holds NaN or infinity", where=path)
    if str(arrays["side"]) not in get_args(Side):
        raise InputError("a truth file's side is neither right nor left", where=path, found=arrays["side"])
    return arrays

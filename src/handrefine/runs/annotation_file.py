"""`annotation.npz`: everything a run says of the hand, before and after, in one file that needs nothing else.

Evaluation, viewers and exporters read it without the dataset, the images or the hand model.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from handrefine.camera import Camera, CameraPath
from handrefine.errors import InputError
from handrefine.io.array_files import read_npz
from handrefine.io.files import whole_file
from handrefine.lens_arrays import MOST_COEFFICIENTS, lens_arrays, lens_at
from handrefine.mesh import MeshTopology
from handrefine.runs.result import HandState, JointEvidence, RunAnnotation
from handrefine.sequence import FrameId, FrameIndex, ManoParameters

FORMAT, VERSION = "handrefine annotation", 1
FIX = "give a run folder that `handrefine refine` has finished, or run it again"

_STATE = {
    "pose_aa": ("frame", 48),
    "shape": ("frame", 10),
    "trans_m": ("frame", 3),
    "flat_hand_mean": (),
    "verts_world": ("frame", "vertex", 3),
    "joints_world": ("frame", 21, 3),
}
#: Every array of the file and its shape; equal words are equal sizes.
SHAPES: dict[str, tuple[str | int, ...]] = {
    "side": (),
    "hand_model": (),
    "frames": ("frame",),
    **{f"{moment}_{name}": shape for moment in ("before", "after") for name, shape in _STATE.items()},
    "faces": ("face", 3),
    "uv": ("coord", 2),
    "uv_faces": ("face", 3),
    "camera_name": ("camera",),
    "camera_size_px": ("camera", 2),
    "camera_intrinsics": ("camera", 4),
    "camera_R_cam_world": ("camera", 3, 3),
    "camera_t_cam_world": ("camera", 3),
    "camera_grey": ("camera",),
    "view_frame": ("view",),
    "view_camera": ("view",),
}
TEXTS = {"side", "hand_model", "camera_name", "camera_lens_model"}
#: Arrays in which NaN says that a value is not known.
UNKNOWN_AS_NAN = ("other_joints_world", "camera_lens_coefficients")
TRUTHS = {"before_flat_hand_mean", "after_flat_hand_mean", "camera_grey", "camera_moves", "open_hand"}
WHOLE = {"frames", "joint_cameras", "faces", "uv_faces", "camera_size_px", "view_frame", "view_camera"}
#: Arrays of which each means nothing without the others.
_TOGETHER = (
    {"camera_lens_model", "camera_lens_coefficients"},
    {"camera_moves", "camera_path_R_cam_world", "camera_path_t_cam_world"},
    {"joint_std_mm", "joint_cameras"},
)
#: Arrays that earlier files lack, or that are there only where something is known.
OPTIONAL: dict[str, tuple[str | int, ...]] = {
    "open_hand": (),
    "camera_lens_model": ("camera",),
    "camera_lens_coefficients": ("camera", MOST_COEFFICIENTS),
    "camera_moves": ("camera",),
    "camera_path_R_cam_world": ("camera", "frame", 3, 3),
    "camera_path_t_cam_world": ("camera", "frame", 3),
    "other_joints_world": ("frame", 21, 3),
    "after_parametric_verts_world": ("frame", "vertex", 3),
    "joint_std_mm": ("frame", 21),
    "joint_cameras": ("frame", 21),
    "pca_components": (45, 45),
}


def write_annotation_npz(path: Path, annotation: RunAnnotation) -> None:
    """Write the annotation; `read_annotation_npz` gives back exactly the same numbers."""
    cameras = annotation.cameras
    index = {camera.name: k for k, camera in enumerate(cameras)}
    arrays = {
        "side": np.str_(annotation.side),
        "hand_model": np.str_(annotation.hand_model),
        "frames": np.array(annotation.frames, dtype=np.int64),
        **_state_arrays("before", annotation.before),
        **_state_arrays("after", annotation.after),
        "faces": annotation.topology.faces,
        "uv": annotation.topology.uv,
        "uv_faces": annotation.topology.uv_faces,
        "camera_name": np.array([c.name for c in cameras], dtype=np.str_),
        "camera_size_px": np.array([(c.width, c.height) for c in cameras], dtype=np.int64).reshape(-1, 2),
        "camera_intrinsics": np.array([c.intrinsics for c in cameras], dtype=np.float64).reshape(-1, 4),
        "camera_R_cam_world": np.array([c.R_cam_world for c in cameras]).reshape(-1, 3, 3),
        "camera_t_cam_world": np.array([c.t_cam_world for c in cameras]).reshape(-1, 3),
        "camera_grey": np.array([c.grey for c in cameras], dtype=bool),
        "view_frame": np.array([frame for frame, _ in annotation.views], dtype=np.int64),
        "view_camera": np.array([index[name] for _, name in annotation.views], dtype=np.int64),
        "open_hand": np.bool_(annotation.open_hand),
    }
    if any(camera.lens is not None for camera in cameras):
        arrays |= lens_arrays([camera.lens for camera in cameras])
    if any(camera.path is not None for camera in cameras):
        arrays |= _path_arrays(cameras, annotation.frames)
    if annotation.other_joints_world is not None:
        arrays["other_joints_world"] = annotation.other_joints_world
    if annotation.evidence is not None:
        arrays["joint_std_mm"], arrays["joint_cameras"] = annotation.evidence.std_mm, annotation.evidence.cameras
    if annotation.pca_components is not None:
        arrays["pca_components"] = annotation.pca_components
    with whole_file(path) as temporary:
        np.savez_compressed(temporary, format=np.str_(FORMAT), version=np.int64(VERSION), **arrays)


def read_annotation_npz(path: Path) -> RunAnnotation:
    """Read an annotation; nothing in the file can run code.

    Raises:
        InputError: the file is missing, broken, of another kind or of a later version.
    """
    arrays = _load(path)
    sizes = _check_shapes(path, arrays)
    _check_values(path, arrays, sizes)
    side, names = str(arrays["side"]), [str(name) for name in arrays["camera_name"]]
    if side not in ("right", "left"):
        raise InputError("a hand has an unknown side", where=path, expected="right or left", found=side, fix=FIX)
    try:
        cameras = tuple(_camera(arrays, k, name) for k, name in enumerate(names))
    except InputError as error:
        raise InputError(error.what, where=f"{path}, {error.where}", found=error.found, fix=FIX) from None
    view_frame, view_camera = arrays["view_frame"].tolist(), arrays["view_camera"].tolist()
    return RunAnnotation(
        side="right" if side == "right" else "left",
        frames=tuple(map(FrameId, arrays["frames"].tolist())),
        before=_state(arrays, "before"),
        after=_state(arrays, "after"),
        topology=MeshTopology(sizes["vertex"], arrays["faces"], arrays["uv"], arrays["uv_faces"]),
        cameras=cameras,
        views=tuple(
            (FrameIndex(frame), names[camera]) for frame, camera in zip(view_frame, view_camera, strict=True)
        ),
        hand_model=str(arrays["hand_model"]),
        # Files of earlier versions name the open hand and no more.
        open_hand=bool(arrays.get("open_hand", str(arrays["hand_model"]) == "open hand")),
        other_joints_world=arrays.get("other_joints_world"),
        evidence=_evidence(arrays),
        pca_components=arrays.get("pca_components"),
    )


def _state_arrays(moment: str, state: HandState) -> dict[str, np.ndarray | np.generic]:
    parametric = state.parametric_verts_world
    return {
        **({} if parametric is None else {f"{moment}_parametric_verts_world": parametric}),
        f"{moment}_pose_aa": state.mano.pose_aa,
        f"{moment}_shape": state.mano.shape,
        f"{moment}_trans_m": state.mano.trans_m,
        f"{moment}_flat_hand_mean": np.bool_(state.mano.flat_hand_mean),
        f"{moment}_verts_world": state.verts_world,
        f"{moment}_joints_world": state.joints_world,
    }


def _state(arrays: dict[str, np.ndarray], moment: str) -> HandState:
    value = {name: arrays[f"{moment}_{name}"] for name in _STATE}
    mano = ManoParameters(value["pose_aa"], value["shape"], value["trans_m"], bool(value["flat_hand_mean"]))
    parametric = arrays.get(f"{moment}_parametric_verts_world")
    return HandState(mano, value["verts_world"], value["joints_world"], parametric)


def _evidence(arrays: dict[str, np.ndarray]) -> JointEvidence | None:
    if not {"joint_std_mm", "joint_cameras"} <= set(arrays):
        return None
    return JointEvidence(arrays["joint_std_mm"], arrays["joint_cameras"])


def _camera(arrays: dict[str, np.ndarray], k: int, name: str) -> Camera:
    width, height = arrays["camera_size_px"][k].tolist()
    fx, fy, cx, cy = arrays["camera_intrinsics"][k].tolist()
    R, t = arrays["camera_R_cam_world"][k], arrays["camera_t_cam_world"][k]
    camera = Camera(
        name, width, height, fx, fy, cx, cy, R, t, grey=bool(arrays["camera_grey"][k]), lens=lens_at(arrays, k)
    )
    if "camera_moves" not in arrays or not arrays["camera_moves"][k]:
        return camera
    poses = (arrays[f"camera_path_{part}_cam_world"][k] for part in ("R", "t"))
    return replace(camera, path=CameraPath(tuple(arrays["frames"].tolist()), *poses))


def _path_arrays(cameras: Sequence[Camera], frames: Sequence[FrameId]) -> dict[str, np.ndarray]:
    """Every camera's pose at the hand's frames, whether it moves or not."""
    at = [[camera.at(frame) for frame in frames] for camera in cameras]
    shape = len(cameras), len(frames)
    return {
        "camera_moves": np.array([camera.path is not None for camera in cameras]),
        "camera_path_R_cam_world": np.array([[of.R_cam_world for of in row] for row in at]).reshape(*shape, 3, 3),
        "camera_path_t_cam_world": np.array([[of.t_cam_world for of in row] for row in at]).reshape(*shape, 3),
    }


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError("the annotation file does not exist", where=path, fix=FIX)
    arrays = read_npz(path)
    if str(arrays.get("format")) != FORMAT:
        raise InputError(
            "this npz file is not a handrefine annotation", where=path, found=", ".join(arrays), fix=FIX
        )
    version = arrays.get("version")
    if version is None or version.shape or version.dtype.kind not in "iu":
        raise InputError("the annotation file does not say its version", where=path, fix=FIX)
    if int(version) > VERSION:
        raise InputError(
            "the annotation file is of a later version",
            where=path,
            expected=f"version {VERSION}",
            found=f"version {int(version)}",
            fix="update handrefine",
        )
    return arrays


def _check_shapes(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, int]:
    """The sizes behind the words of `SHAPES`, once every array agrees with them."""
    needed = {*SHAPES, *(name for group in _TOGETHER if not group.isdisjoint(arrays) for name in group)}
    if missing := sorted(needed - set(arrays)):
        raise InputError("the annotation file lacks arrays", where=path, found=", ".join(missing), fix=FIX)
    sizes: dict[str, int] = {}
    for name, shape in {**SHAPES, **{name: OPTIONAL[name] for name in OPTIONAL if name in arrays}}.items():
        found = arrays[name].shape
        fits = len(found) == len(shape) and all(
            size == (sizes.setdefault(axis, size) if isinstance(axis, str) else axis)
            for size, axis in zip(found, shape, strict=True)
        )
        if not fits:
            raise InputError(
                "an array has the wrong shape", where=f"{path}, {name}", expected=shape, found=found, fix=FIX
            )
    return sizes


def _check_values(path: Path, arrays: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
    """Whether every array holds what its name says, and indices count what is there."""
    counted = {
        "faces": sizes["vertex"],
        "uv_faces": sizes["coord"],
        "view_frame": sizes["frame"],
        "view_camera": sizes["camera"],
    }
    for name in (*SHAPES, *(name for name in OPTIONAL if name in arrays)):
        values, where = arrays[name], f"{path}, {name}"
        kinds = "U" if name in TEXTS else "b" if name in TRUTHS else "iu" if name in WHOLE else "f"
        if values.dtype.kind not in kinds:
            raise InputError(
                "an array holds other things than it should", where=where, found=values.dtype, fix=FIX
            )
        if kinds == "f":
            broken = np.count_nonzero(np.isinf(values) if name in UNKNOWN_AS_NAN else ~np.isfinite(values))
            if broken:
                raise InputError("values are not finite", where=where, found=f"{broken} of {values.size}", fix=FIX)
        most = counted.get(name)
        if most is not None and values.size and not 0 <= values.min() <= values.max() < most:
            raise InputError(
                "an index counts what is not there", where=where, expected=f"0 to {most - 1}", fix=FIX
            )

"""DexYCB's objects: their annotated poses and the YCB models' meshes.

As the toolkit reads them (github.com/NVlabs/dex-ycb-toolkit, sequence_loader.py): `pose_y` (frame, object, 7) of
`pose.npz` is a rotation as a quaternion (x, y, z, w) and a translation, in the world frame, and the identity where
an object is not annotated; `ycb_ids` of `meta.yml` names the objects, and
`models/{object}/textured_simple.obj` are their meshes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from handrefine.datasets.parsing import as_finite, as_list, read_npz_array
from handrefine.datasets.wavefront import mesh_reader
from handrefine.datasets.ycb import MODEL, PUT_MODELS, YCB
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.safe_paths import within
from handrefine.sequence import FrameId
from handrefine.things import Thing

#: The pose of an object that is not annotated.
_NOBODY = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def read_things(
    root: Path,
    folder: Path,
    meta: Mapping[str, Any],
    frames: tuple[Sequence[FrameId], int],
    *,
    follow_links: bool = False,
) -> tuple[tuple[Thing, ...], list[Finding]]:
    """The objects whose meshes are there, and those whose are not.

    Args:
        folder: of the sequence. meta: what its `meta.yml` says.
        frames: those that are read, and how many the sequence has.

    Raises:
        InputError: a pose or a number is damaged.
    """
    where = f"{folder / 'meta.yml'}, ycb_ids"
    ids = as_list(meta.get("ycb_ids") or [], where)
    meshes: dict[int, tuple[str, Path]] = {}
    for k, number in enumerate(ids):
        if not isinstance(number, int) or not 1 <= number <= len(YCB):
            raise InputError("an object is none of YCB's", where=where, expected=f"1 to {len(YCB)}", found=number)
        name = YCB[number - 1]
        meshes[k] = name, within(root, MODEL.format(name), where, follow_links=follow_links)
    lacking = [name for name, mesh in meshes.values() if not mesh.exists()]
    what = "meshes of objects are missing: they keep no light from the hand"
    missing = [Finding("note", what, str(root / "models"), some(lacking), PUT_MODELS)] if lacking else []
    if len(lacking) == len(ids):
        return (), missing
    read, count = frames
    pose_path = folder / "pose.npz"
    poses = as_finite(read_npz_array(pose_path, "pose_y"), (count, len(ids), 7), f"{pose_path}, pose_y")
    there = {k: of for k, of in meshes.items() if of[1].exists()}
    things = (Thing(name, mesh_reader(mesh), *_poses(poses[list(read), k])) for k, (name, mesh) in there.items())
    return tuple(things), missing


def _poses(
    told: Float[np.ndarray, "frame 7"],
) -> tuple[Float[np.ndarray, "frame 3 3"], Float[np.ndarray, "frame 3"]]:
    """Rotations and translations; NaN where nobody has annotated the object."""
    known = (told != _NOBODY).any(axis=1) & (np.linalg.norm(told[:, :4], axis=1) > 0)
    R, t = np.full((len(told), 3, 3), np.nan), np.full((len(told), 3), np.nan)
    if known.any():
        R[known], t[known] = Rotation.from_quat(told[known, :4]).as_matrix(), told[known, 4:]
    return R, t

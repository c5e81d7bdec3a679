"""Things beside a dataset in InterHand2.6M's layout, as meshes with poses. Ours.

    objects/{split}/Capture{c}/{sequence}/{thing}.obj     vertices in metres, in the thing's own frame
    objects/{split}/Capture{c}/{sequence}/{thing}.json    {frame: 3x4 matrix from there to the world, metres}

At frames that the JSON does not name, nobody says where the thing is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from handrefine.datasets.parsing import as_finite, as_frame, read_json_object
from handrefine.datasets.wavefront import mesh_reader, mesh_text
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.files import write_json
from handrefine.io.safe_paths import LinksBelow
from handrefine.sequence import FrameId, FrameIndex
from handrefine.things import Thing

#: A rotation may be this far from one: some digits of a text.
_ROUNDED = 1e-3


def write_things(folder: Path, things: Sequence[Thing], frames: Sequence[FrameId]) -> None:
    """Write meshes and poses into the sequence's folder of objects."""
    for thing in things:
        poses = np.concatenate([thing.R_world_thing, thing.t_world_thing_m[..., None]], axis=2)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{thing.name}.obj").write_text(mesh_text(thing.mesh()), encoding="utf-8")
        told = {str(int(frame)): poses[k].tolist() for k, frame in enumerate(frames) if thing.known[k]}
        write_json(folder / f"{thing.name}.json", told)


def read_things(
    folder: Path, position: Mapping[FrameId, FrameIndex], links: LinksBelow | None
) -> tuple[tuple[Thing, ...], list[Finding]]:
    """The things in the sequence's folder of objects, and files that say nothing without another.

    Args:
        position: of every frame that is read.
        links: refuses links that lead out of the dataset; None where they may.

    Raises:
        InputError: poses are damaged.
    """
    files = {end: {path.stem: path for path in sorted(folder.glob(f"*.{end}"))} for end in ("obj", "json")}
    for path in (path for of in files.values() for path in of.values()):
        if links is not None:
            links.check(path)
    meshes, poses = files["obj"], files["json"]
    things = tuple(_thing(name, meshes[name], poses[name], position) for name in meshes if name in poses)
    alone = sorted(meshes.keys() ^ poses.keys())
    what = "things have a mesh without poses, or poses without a mesh, and are not used"
    finding = Finding("warning", what, str(folder), some(alone), "put NAME.obj and NAME.json beside each other")
    return things, [finding] if alone else []


def _thing(name: str, mesh: Path, poses: Path, position: Mapping[FrameId, FrameIndex]) -> Thing:
    R, t = np.full((len(position), 3, 3), np.nan), np.full((len(position), 3), np.nan)
    for key, matrix in read_json_object(poses).items():
        where = f"{poses}, frame {key}"
        pose = as_finite(matrix, (3, 4), where)
        if (index := position.get(as_frame(key, where))) is None:
            continue
        off = float(np.abs(pose[:, :3] @ pose[:, :3].T - np.eye(3)).max())
        if off > _ROUNDED or np.linalg.det(pose[:, :3]) < 0:
            expected = "3x4, a rotation and a translation"
            raise InputError("a thing's pose is no rigid motion", where=where, expected=expected)
        R[index], t[index] = Rotation.from_matrix(pose[:, :3]).as_matrix(), pose[:, 3]
    return Thing(name, mesh_reader(mesh), R, t)

"""HO-3D's objects: their annotated poses and the YCB models' meshes.

As the toolkit draws them (github.com/shreyashampali/ho3d, vis_HO3D.py): `models/{objName}/textured_simple.obj`,
turned by the rotation vector `objRot` and moved by `objTrans`, in the camera's frame with OpenGL's axes. Every
camera annotates the object by itself: where it is seen is told by the camera's own files, where it stands in the
world by those of the first camera that has any of the frame.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from handrefine.datasets.ho3d_hands import OPENCV_FROM_OPENGL
from handrefine.datasets.parsing import as_finite
from handrefine.datasets.wavefront import mesh_reader
from handrefine.datasets.ycb import MODEL, PUT_MODELS
from handrefine.findings import Finding, some
from handrefine.io.safe_paths import within
from handrefine.sequence import Camera, FrameId, FrameIndex, MaskReader, ViewKey
from handrefine.things import Thing, region_of


@dataclass(eq=False)
class Objects:
    """regions: readers of the views whose object's pose and mesh are there: all that it would cover if nothing
    stood before it, so that fingers in front of it are in them. things: by name. findings: what is missing.
    """

    regions: dict[ViewKey, MaskReader] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_objects(
    root: Path,
    folders: Mapping[str, Path],
    cameras: Mapping[str, Camera],
    position: Mapping[FrameId, FrameIndex],
    annotation: Callable[[Path], Mapping[str, Any]],
    *,
    follow_links: bool = False,
) -> Objects:
    """What the sequence says of its objects.

    Args:
        folders: of the cameras. position: of every frame.
        annotation: what a file of `meta/` says; nothing where there is none.

    Raises:
        InputError: a pose is damaged.
    """
    found = Objects()
    lacking: set[str] = set()
    for camera_name, camera in cameras.items():
        for frame, index in position.items():
            path = folders[camera_name] / "meta" / f"{frame:04d}.pkl"
            meta = annotation(path)
            if any(meta.get(key) is None for key in ("objName", "objRot", "objTrans")):
                continue
            name = str(meta["objName"])
            if name not in found.things:
                mesh = within(root, MODEL.format(name), path, follow_links=follow_links)
                if not mesh.exists():
                    lacking.add(name)
                    continue
                nowhere = np.full((len(position), 3, 3), np.nan), np.full((len(position), 3), np.nan)
                found.things[name] = Thing(name, mesh_reader(mesh), *nowhere)
            thing = found.things[name]
            turn = as_finite(meta["objRot"], (3,), f"{path}, objRot")
            shift = as_finite(meta["objTrans"], (3,), f"{path}, objTrans")
            R = camera.R_cam_world.T @ OPENCV_FROM_OPENGL @ Rotation.from_rotvec(turn).as_matrix()
            t = camera.R_cam_world.T @ OPENCV_FROM_OPENGL @ shift + camera.center_world
            here = Thing(name, thing.mesh, R[None], t[None])
            found.regions[index, camera_name] = partial(region_of, [here], 0, camera)
            if not thing.known[index]:
                thing.R_world_thing[index], thing.t_world_thing_m[index] = R, t
    if lacking:
        what = "meshes of objects are missing: objects are not known"
        found.findings.append(Finding("note", what, str(root / "models"), some(sorted(lacking)), PUT_MODELS))
    return found

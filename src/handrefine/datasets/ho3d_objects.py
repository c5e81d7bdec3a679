"""Where HO-3D's objects are in its images: their annotated poses and the YCB models' meshes, rasterised.

As the toolkit draws them (github.com/shreyashampali/ho3d, vis_HO3D.py): `models/{objName}/textured_simple.obj`,
turned by the rotation vector `objRot` and moved by `objTrans`, in the camera's frame with OpenGL's axes. The
region is all that the object would cover if nothing stood before it: fingers in front of it are in it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from handrefine.datasets.ho3d_hands import OPENCV_FROM_OPENGL
from handrefine.datasets.parsing import as_finite
from handrefine.errors import InputError
from handrefine.findings import Finding, some
from handrefine.io.safe_paths import within
from handrefine.io.text_files import read_text
from handrefine.rasterise import rasterise
from handrefine.sequence import Camera, FrameId, FrameIndex, MaskReader, ViewKey

Mesh = tuple[Float[np.ndarray, "vertex 3"], Int[np.ndarray, "face 3"]]
#: Nearer than this to the camera nothing is seen.
_NEAR_M = 0.01


def object_regions(
    root: Path,
    folders: Mapping[str, Path],
    cameras: Mapping[str, Camera],
    position: Mapping[FrameId, FrameIndex],
    annotation: Callable[[Path], Mapping[str, Any]],
    *,
    follow_links: bool = False,
) -> tuple[dict[ViewKey, MaskReader], list[Finding]]:
    """Readers of the views whose object's pose and mesh are there, and what is missing.

    Args:
        folders: of the cameras. position: of every frame.
        annotation: what a file of `meta/` says; nothing where there is none.

    Raises:
        InputError: a pose is damaged.
    """
    regions: dict[ViewKey, MaskReader] = {}
    lacking: set[str] = set()
    read = cache(_mesh)
    for name, camera in cameras.items():
        for frame, index in position.items():
            path = folders[name] / "meta" / f"{frame:04d}.pkl"
            meta = annotation(path)
            if any(meta.get(key) is None for key in ("objName", "objRot", "objTrans")):
                continue
            mesh = within(root, f"models/{meta['objName']}/textured_simple.obj", path, follow_links=follow_links)
            if not mesh.exists():
                lacking.add(str(meta["objName"]))
                continue
            turn = as_finite(meta["objRot"], (3,), f"{path}, objRot")
            shift = as_finite(meta["objTrans"], (3,), f"{path}, objTrans")
            regions[index, name] = partial(_region, partial(read, mesh), turn, shift, camera)
    where, fix = str(root / "models"), "put YCB's folder `models` into the dataset's folder"
    findings = [
        Finding("note", "meshes of objects are missing: objects are not known", where, some(sorted(lacking)), fix)
    ]
    return regions, findings if lacking else []


def _region(
    read: Callable[[], Mesh], turn: np.ndarray, shift: np.ndarray, camera: Camera
) -> Bool[np.ndarray, "height width"]:
    vertices, faces = read()
    points = (Rotation.from_rotvec(turn).apply(vertices) + shift) @ OPENCV_FROM_OPENGL.T
    z = np.where(points[:, 2:] > _NEAR_M, points[:, 2:], np.nan)
    corners_px = (points[:, :2] / z * [camera.fx, camera.fy] + [camera.cx, camera.cy])[faces]
    region = np.zeros(camera.height * camera.width, bool)
    region[rasterise(corners_px, camera.height, camera.width).pixel] = True
    return region.reshape(camera.height, camera.width)


def _mesh(path: Path) -> Mesh:
    """Vertices and triangles of a Wavefront file; polygons are cut into fans.

    Raises:
        InputError: it holds none, or something else than numbers.
    """
    vertices: list[list[float]] = []
    faces: list[Sequence[int]] = []
    try:
        for line in read_text(path).splitlines():
            kind, *values = line.split() or [""]
            if kind == "v":
                vertices.append([float(value) for value in values[:3]])
            elif kind == "f":
                corners = [int(value.split("/")[0]) for value in values]
                corners = [corner - 1 if corner > 0 else len(vertices) + corner for corner in corners]
                faces += [(corners[0], *corners[k : k + 2]) for k in range(1, len(corners) - 1)]
        triangles = np.array(faces, np.int64).reshape(-1, 3)
    except (ValueError, OverflowError) as error:
        raise InputError("a mesh is damaged", where=path, found=error) from None
    points = as_finite(vertices, (len(vertices), 3), str(path))
    outside = len(triangles) and (triangles.min() < 0 or triangles.max() >= len(points))
    if not len(triangles) or outside:
        raise InputError("a mesh is damaged, or has no triangle", where=path)
    return points, triangles

"""Triangle meshes in Wavefront's OBJ files, of which positions and faces are read."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from handrefine.datasets.parsing import as_finite
from handrefine.errors import InputError
from handrefine.io.text_files import read_text
from handrefine.things import TriangleMesh


def mesh_reader(path: Path) -> Callable[[], TriangleMesh]:
    """A function that reads the file once, when it is first asked."""
    return cache(partial(read_mesh, path))


def read_mesh(path: Path) -> TriangleMesh:
    """Vertices and triangles; polygons are cut into fans.

    Raises:
        InputError: the file is missing, holds no triangle, or something else than numbers.
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


def mesh_text(mesh: TriangleMesh) -> str:
    """What `read_mesh` reads."""
    vertices = (f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh[0])
    faces = (f"f {a} {b} {c}" for a, b, c in mesh[1] + 1)
    return "\n".join([*vertices, *faces]) + "\n"

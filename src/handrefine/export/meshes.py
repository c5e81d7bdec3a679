"""Meshes for other programs: a textured hand over (vertex, uv) pairs, as PLY and OBJ files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology, vertex_normals

#: What one vertex and one triangle of a binary PLY file are made of.
PLY_VERTEX = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz", "s", "t")]
PLY_FACE = np.dtype([("count", "u1"), ("corner", "<i4", (3,))])


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """A hand at F frames: a position, a normal and a texture coordinate a corner; v = 0 is the texture's bottom.

    Normals are those of the mesh without seams, so that shading runs smoothly across the seams of the atlas.
    """

    positions_world: Float[np.ndarray, "frame corner 3"]
    normals_world: Float[np.ndarray, "frame corner 3"]
    uv: Float[np.ndarray, "corner 2"]
    faces: Int[np.ndarray, "face 3"]

    @staticmethod
    def of(verts_world: Float[np.ndarray, "frame vertex 3"], topology: MeshTopology) -> "TexturedMesh":
        """The mesh as renderers want it, float32.

        Raises:
            InputError: a vertex is not finite: programs that read meshes hang or show nothing.
        """
        if broken := int((~np.isfinite(verts_world)).any(axis=-1).sum()):
            raise InputError(
                "a mesh has vertices that are not finite", found=f"{broken} of {verts_world[..., 0].size}"
            )
        verts = torch.as_tensor(verts_world, dtype=torch.float32)
        corners = topology.split_to_vertex
        return TexturedMesh(
            verts.numpy()[:, corners],
            vertex_normals(verts, topology).numpy()[:, corners],
            topology.split_uv.astype(np.float32),
            topology.split_faces,
        )


def write_ply(path: Path, mesh: TexturedMesh, frame: int = 0) -> None:
    """Write one frame as a binary PLY with normals and the texture coordinates s, t (t = 0 at the bottom)."""
    vertices = np.concatenate([mesh.positions_world[frame], mesh.normals_world[frame], mesh.uv], axis=1)
    faces = np.empty(len(mesh.faces), PLY_FACE)
    faces["count"], faces["corner"] = 3, mesh.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment TextureFile texture.png",
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name, _ in PLY_VERTEX),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    path.write_bytes("\n".join(header).encode() + vertices.astype("<f4").tobytes() + faces.tobytes())


def write_material(path: Path) -> None:
    """Write the material `hand` of OBJ files: diffuse, coloured by texture.png beside it."""
    path.write_text("newmtl hand\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd texture.png\n", encoding="utf-8")


def write_obj(
    path: Path, verts_world: Float[np.ndarray, "vertex 3"], topology: MeshTopology, material: str
) -> None:
    """Write one frame as an OBJ that keeps the hand model's own vertices and order: seams live in `vt` alone."""
    normals = vertex_normals(torch.as_tensor(verts_world, dtype=torch.float64), topology).numpy()
    lines = [f"mtllib {material}", "o hand"]
    for keyword, values in (("v", verts_world), ("vt", topology.uv), ("vn", normals)):
        lines += _rows(keyword, values)
    lines.append("usemtl hand")
    for (a, b, c), (s, t, u) in zip(topology.faces + 1, topology.uv_faces + 1, strict=True):
        lines.append(f"f {a}/{s}/{a} {b}/{t}/{b} {c}/{u}/{c}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(keyword: str, values: np.ndarray) -> Sequence[str]:
    return [f"{keyword} " + " ".join(f"{number:.7g}" for number in row) for row in values.tolist()]

"""A Mitsuba scene of hands under an environment map, fed with arrays. Import after `start_mitsuba()`."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false

from collections.abc import Collection, Mapping, Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology
from handrefine.render.mitsuba import keys


class HandScene:
    """Hands of fixed topology, two-sided diffuse, lit by an environment map.

    Two-sided, because the mesh is open at the wrist and a camera may look into it: black there would be
    a silhouette that no hand has.
    """

    def __init__(self, topologies: Sequence[MeshTopology]) -> None:
        self.meshes = [_mesh(topology, keys.hand_id(hand)) for hand, topology in enumerate(topologies)]
        self.scene = mi.load_dict(
            {
                "type": "scene",
                **{keys.hand_id(hand): mesh for hand, mesh in enumerate(self.meshes)},
                keys.ENVIRONMENT_ID: {"type": "envmap", "bitmap": mi.Bitmap(np.ones((3, 2, 3), np.float32))},
            }
        )
        self._parameters = mi.traverse(self.scene)

    def load(
        self, values: "Mapping[str, mi.Float | mi.TensorXf]", differentiate: Collection[str] = ()
    ) -> "dict[str, mi.Float | mi.TensorXf]":
        """Set parameters by their keys; give back those named in `differentiate`, as leaves with gradients.

        positions, normals: of the topology's split vertices, flat. Textures: (height, width, 3), row 0 at the top.
        Environment: Mitsuba's own layout, see `envmap_from_latlong`.
        """
        leaves = {}
        for key, value in values.items():
            if key in differentiate:
                dr.enable_grad(value)
                leaves[key] = value
            self._parameters[key] = value
        self._parameters.update()
        return leaves


def _mesh(topology: MeshTopology, name: str) -> mi.Mesh:
    """A hand's mesh over (vertex, uv) pairs, its geometry and its texture still to be loaded."""
    texture = {
        "type": "bitmap",
        "data": mi.TensorXf(np.zeros((2, 2, 3), np.float32)),
        "raw": True,  # linear reflectance already; sRGB decoding would also cut the gradient
        "format": "variant",  # full precision; the default half precision has no useful gradient
        "wrap_mode": "clamp",
    }
    props = mi.Properties()
    props["mesh_bsdf"] = mi.load_dict({"type": "twosided", "brdf": {"type": "diffuse", "reflectance": texture}})
    n_corners, n_faces = len(topology.split_to_vertex), len(topology.faces)
    mesh = mi.Mesh(name, n_corners, n_faces, has_vertex_normals=True, has_vertex_texcoords=True, props=props)
    parameters = mi.traverse(mesh)
    # Mitsuba's v runs from the top row of a bitmap downwards, ours from the bottom upwards.
    uv = topology.split_uv * [1.0, -1.0] + [0.0, 1.0]
    parameters[keys.MESH_TEXCOORDS] = mi.Float(uv.astype(np.float32).ravel())
    parameters[keys.MESH_FACES] = mi.UInt32(topology.split_faces.astype(np.uint32).ravel())
    parameters.update()
    return mesh

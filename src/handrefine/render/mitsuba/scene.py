"""A Mitsuba scene of hands under an environment map, fed with tensors. Import after `start_mitsuba()`."""

# Mitsuba's type stubs do not know that tensors of other libraries convert.
# pyright: reportArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.mesh import MeshTopology
from handrefine.render.mitsuba import keys


@dataclass(frozen=True, eq=False)
class SceneTensors:
    """Everything that changes between two images, as plain tensors without autograd history.

    positions, normals: one (corner, 3) a hand, over the topology's split vertices.
    textures: one (height, width, 3) a hand, row 0 at the top of the image.
    environment: Mitsuba's own layout, see `envmap_from_latlong`.
    """

    positions: Sequence[Float[Tensor, "_corner 3"]]
    normals: Sequence[Float[Tensor, "_corner 3"]]
    textures: Sequence[Float[Tensor, "_height _width 3"]]
    environment: Float[Tensor, "_rows _columns 3"]

    def by_key(self) -> dict[str, Tensor]:
        named = {keys.ENVIRONMENT: self.environment}
        for hand in range(len(self.positions)):
            named[keys.positions(hand)] = self.positions[hand]
            named[keys.normals(hand)] = self.normals[hand]
            named[keys.texture(hand)] = self.textures[hand]
        return named


def envmap_from_latlong(environment: Float[Tensor, "h w 3"]) -> Float[Tensor, "rows columns 3"]:
    """A map in the layout of `handrefine.spherical` as the data of Mitsuba's `envmap`; differentiable, exact.

    Columns agree, but Mitsuba puts the first and the last *row* on the poles: row r of n lies at
    theta = pi r / (n - 1). With n = 2 h + 1 rows every odd row falls on one of ours and every even row midway
    between two, so that bilinear interpolation gives the same function. One column is repeated on either side.
    """
    middle = (environment[1:] + environment[:-1]) / 2
    even = torch.cat([environment[:1], middle, environment[-1:]])
    rows = torch.stack([even[:-1], environment], dim=1).flatten(0, 1)
    rows = torch.cat([rows, even[-1:]])
    return torch.cat([rows[:, -1:], rows, rows[:, :1]], dim=1)


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
        self, tensors: SceneTensors, differentiate: frozenset[str] = frozenset()
    ) -> dict[str, mi.Float | mi.TensorXf]:
        """Set all parameters; give back those named in `differentiate`, with gradients enabled."""
        leaves = {}
        for key, tensor in tensors.by_key().items():
            geometry = key.endswith(("positions", "normals"))
            value = mi.Float(tensor.contiguous().ravel()) if geometry else mi.TensorXf(tensor.contiguous())
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

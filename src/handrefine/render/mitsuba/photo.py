"""Photographs of hands that the model cannot explain: stock path tracing. Import after `start_mitsuba()`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from jaxtyping import Float

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import refuse_lenses
from handrefine.render.mitsuba import keys
from handrefine.render.mitsuba.envmap import envmap_from_latlong
from handrefine.render.mitsuba.first_hit import FirstHit, hand_colour_code
from handrefine.render.mitsuba.sensor import Pinhole
from handrefine.sequence import Camera


@runtime_checkable
class SquareLamp(Protocol):
    """A square of side `2 half_size_m` that faces `target_world` and shines to that side."""

    @property
    def position_world(self) -> Float[np.ndarray, "3"]: ...

    @property
    def target_world(self) -> Float[np.ndarray, "3"]: ...

    @property
    def half_size_m(self) -> float: ...

    @property
    def radiance(self) -> Float[np.ndarray, "3"]: ...


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """Skin (Mitsuba's `principled`) and quality of the image."""

    roughness: float = 0.45
    specular: float = 0.5
    spp: int = 64
    depth: int = 4


class PhotoStudio:
    """One or two hands in one light; not differentiable.

    Hands are glossy where the renderers' are diffuse, and Mitsuba's own `path` integrator traces it through the
    reference renderer's lens.

    Args:
        topologies, textures: of every hand; base colour in linear RGB, row 0 at the top.
        environment: radiance from every direction in the layout of `handrefine.spherical`, never negative.
    """

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        textures: Sequence[Float[np.ndarray, "_ _ 3"]],
        environment: Float[torch.Tensor, "map_height map_width 3"],
        lamp: SquareLamp,
        settings: PhotoSettings,
    ) -> None:
        self._topologies, self._settings = topologies, settings
        meshes = {
            keys.hand_id(k): _skin_mesh(k, topology, texture, settings)
            for k, (topology, texture) in enumerate(zip(topologies, textures, strict=True))
        }
        self._scene: Any = mi.load_dict(
            {
                "type": "scene",
                **meshes,
                keys.ENVIRONMENT_ID: {"type": "envmap", "bitmap": mi.Bitmap(np.ones((3, 2, 3), np.float32))},
                "lamp": _lamp(lamp),
            }
        )
        self._parameters = mi.traverse(self._scene)
        self._parameters[keys.ENVIRONMENT] = mi.TensorXf(envmap_from_latlong(environment).cpu().numpy())
        self._parameters.update()
        self._path: Any = mi.load_dict({"type": "path", "max_depth": settings.depth, "hide_emitters": True})
        self._coverage: Any = FirstHit(hand_colour_code(list(meshes.values())))

    def move(self, *verts_world: Float[torch.Tensor, "_ 3"]) -> None:
        """Bring every hand into another pose."""
        for k, (verts, topology) in enumerate(zip(verts_world, self._topologies, strict=True)):
            normals = vertex_normals(verts, topology)
            for key, values in ((keys.positions(k), verts), (keys.normals(k), normals)):
                flat = np.ascontiguousarray(values.numpy()[topology.split_to_vertex], np.float32).ravel()
                self._parameters[key] = mi.Float(flat)
        self._parameters.update()

    def photograph(
        self, camera: Camera, *, seed: int
    ) -> tuple[Float[np.ndarray, "height width 3"], Float[np.ndarray, "height width hand"]]:
        """Linear RGB over black, and the share of every pixel that each hand covers.

        Raises:
            InputError: the camera has a lens.
        """
        refuse_lenses([camera], "the path tracer of synthetic videos")
        sensor, opaque_seed = Pinhole(camera), dr.opaque(mi.UInt32, seed)
        rgb, code = (
            integrator.render(self._scene, sensor, seed=opaque_seed, spp=self._settings.spp).numpy()
            for integrator in (self._path, self._coverage)
        )
        return rgb.astype(np.float32), code[..., : len(self._topologies)].astype(np.float32)


def _skin_mesh(hand: int, topology: MeshTopology, texture: np.ndarray, settings: PhotoSettings) -> mi.Mesh:
    skin = {
        "type": "principled",
        "base_color": {
            "type": "bitmap",
            "data": mi.TensorXf(np.ascontiguousarray(texture, np.float32)),
            "raw": True,
            "wrap_mode": "clamp",
        },
        "roughness": settings.roughness,
        "specular": settings.specular,
    }
    props = mi.Properties()
    props["mesh_bsdf"] = mi.load_dict({"type": "twosided", "brdf": skin})
    corners, faces = len(topology.split_to_vertex), len(topology.faces)
    mesh = mi.Mesh(
        keys.hand_id(hand), corners, faces, has_vertex_normals=True, has_vertex_texcoords=True, props=props
    )
    parameters = mi.traverse(mesh)
    uv = topology.split_uv * [1.0, -1.0] + [0.0, 1.0]  # Mitsuba's v runs downwards
    parameters[keys.MESH_TEXCOORDS] = mi.Float(uv.astype(np.float32).ravel())
    parameters[keys.MESH_FACES] = mi.UInt32(topology.split_faces.astype(np.uint32).ravel())
    parameters.update()
    return mesh


def _lamp(lamp: SquareLamp) -> dict[str, Any]:
    towards = lamp.target_world - lamp.position_world
    up = np.eye(3)[np.argmin(np.abs(towards))]
    look = mi.ScalarTransform4f().look_at(
        origin=lamp.position_world.tolist(), target=lamp.target_world.tolist(), up=up.tolist()
    )
    return {
        "type": "rectangle",
        "to_world": look @ mi.ScalarTransform4f().scale(lamp.half_size_m),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": lamp.radiance.tolist()}},
    }

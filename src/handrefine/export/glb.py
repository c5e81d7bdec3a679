"""A gesture as one binary glTF 2.0 file: textured, further frames as morph targets that an animation plays."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handrefine.export.meshes import TexturedMesh

SECONDS_PER_FRAME = 0.2
FLOAT, UNSIGNED_INT = 5126, 5125
VERTEX_DATA, INDEX_DATA = 34962, 34963
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


@dataclass(frozen=True, eq=False)
class GlbHand:
    """One hand of a file.

    texture_png: an encoded sRGB image, PNG or JPEG, row 0 at the top (v = 1).
    steps: for every frame of the mesh its position in the animation, ascending; 0, 1, 2, ... where there is none.
    """

    mesh: TexturedMesh
    texture_png: bytes
    name: str = "hand"
    steps: tuple[int, ...] | None = None


def glb_bytes(mesh: TexturedMesh, texture_png: bytes, name: str = "hand", *, opacity: float = 1.0) -> bytes:
    """The file of one hand, see `glb_of_hands`."""
    return glb_of_hands([GlbHand(mesh, texture_png, name)], opacity=opacity)


def glb_of_hands(hands: Sequence[GlbHand], *, opacity: float = 1.0) -> bytes:
    """The file's content: a node a hand, and one animation of all.

    The first frame is the mesh itself, which programs without morph targets show.
    """
    buffer = _Buffer()
    meshes = [_mesh(buffer, hand, material) for material, hand in enumerate(hands)]
    images = [
        {"bufferView": buffer.view(hand.texture_png), "mimeType": _mime_type(hand.texture_png)} for hand in hands
    ]
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "handrefine"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(hands)))}],
        "nodes": [{"mesh": k, "name": hand.name} for k, hand in enumerate(hands)],
        "meshes": meshes,
        "materials": [_skin(opacity, texture) for texture in range(len(hands))],
        "textures": [{"source": k, "sampler": 0} for k in range(len(hands))],
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],  # clamp to the edge
        "images": images,
    }
    if any("weights" in mesh for mesh in meshes):
        document["animations"] = [_animation(buffer, hands)]
    return _file(document | buffer.description(), buffer.content)


def _mesh(buffer: "_Buffer", hand: GlbHand, material: int) -> dict[str, Any]:
    mesh = hand.mesh
    primitive: dict[str, Any] = {
        "attributes": {
            "POSITION": buffer.vertices(mesh.positions_world[0], bounds=True),
            "NORMAL": buffer.vertices(mesh.normals_world[0]),
            # glTF counts v from the top row of the image.
            "TEXCOORD_0": buffer.vertices(mesh.uv * [1.0, -1.0] + [0.0, 1.0]),
        },
        "indices": buffer.indices(mesh.faces),
        "material": material,
    }
    n_targets = len(mesh.positions_world) - 1
    if not n_targets:
        return {"name": hand.name, "primitives": [primitive]}
    moved = mesh.positions_world[1:] - mesh.positions_world[0], mesh.normals_world[1:] - mesh.normals_world[0]
    primitive["targets"] = [
        {"POSITION": buffer.vertices(dp, bounds=True), "NORMAL": buffer.vertices(dn)}
        for dp, dn in zip(*moved, strict=True)
    ]
    return {"name": hand.name, "primitives": [primitive], "weights": [0.0] * n_targets}


def _skin(opacity: float, texture: int) -> dict[str, Any]:
    colour: dict[str, Any] = {
        "baseColorTexture": {"index": texture},
        "metallicFactor": 0.0,
        "roughnessFactor": 1.0,
    }
    if opacity == 1:
        return {"name": "skin", "doubleSided": True, "pbrMetallicRoughness": colour}
    # One-sided, so that the far side of translucent fingers does not shine through.
    colour["baseColorFactor"] = [1.0, 1.0, 1.0, opacity]
    return {"name": "skin", "alphaMode": "BLEND", "pbrMetallicRoughness": colour}


def _animation(buffer: "_Buffer", hands: Sequence[GlbHand]) -> dict[str, Any]:
    """Frames at equal distances in time, since they carry no timestamps."""
    samplers, channels = [], []
    for node, hand in enumerate(hands):
        n_frames = len(hand.mesh.positions_world)
        if n_frames == 1:
            continue
        weights = np.concatenate([np.zeros((1, n_frames - 1)), np.eye(n_frames - 1)])
        times = np.array(hand.steps or range(n_frames)) * SECONDS_PER_FRAME
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": "weights"}})
        samplers.append(
            {
                "input": buffer.scalars(times),
                "output": buffer.scalars(weights.ravel()),
                "interpolation": "LINEAR",
            }
        )
    return {"name": "gesture", "samplers": samplers, "channels": channels}


class _Buffer:
    """The binary part, growing, and what the JSON part says of it."""

    def __init__(self) -> None:
        self.content = b""
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def description(self) -> dict[str, Any]:
        return {
            "bufferViews": self._views,
            "accessors": self._accessors,
            "buffers": [{"byteLength": len(self.content)}],
        }

    def view(self, data: bytes, target: int | None = None) -> int:
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(data)}
        self._views.append(view if target is None else view | {"target": target})
        self.content += data + b"\0" * (-len(data) % 4)
        return len(self._views) - 1

    def vertices(self, values: np.ndarray, *, bounds: bool = False) -> int:
        values = values.astype("<f4")
        extent = {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()} if bounds else {}
        return self._accessor(values, FLOAT, f"VEC{values.shape[1]}", VERTEX_DATA, extent)

    def indices(self, faces: np.ndarray) -> int:
        return self._accessor(faces.astype("<u4").ravel(), UNSIGNED_INT, "SCALAR", INDEX_DATA, {})

    def scalars(self, values: np.ndarray) -> int:
        values = values.astype("<f4")
        extent = {"min": [float(values.min())], "max": [float(values.max())]}
        return self._accessor(values, FLOAT, "SCALAR", None, extent)

    def _accessor(
        self, values: np.ndarray, component: int, kind: str, target: int | None, extent: dict[str, Any]
    ) -> int:
        view = self.view(values.tobytes(), target)
        entry = {"bufferView": view, "componentType": component, "count": len(values), "type": kind}
        self._accessors.append(entry | extent)
        return len(self._accessors) - 1


def _mime_type(image: bytes) -> str:
    return "image/png" if image.startswith(b"\x89PNG") else "image/jpeg"


def _file(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<II", len(text), JSON_CHUNK) + text + struct.pack("<II", len(binary), BINARY_CHUNK) + binary
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

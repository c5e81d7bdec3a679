"""What real recordings have and the model lacks: relief, a lamp, clutter, noise, colour casts, compression.

Everything is drawn from a seed. The hand itself is rendered elsewhere; this file makes its surface and light, and
turns renders into images as a camera takes them.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int

from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.errors import InputError
from handrefine.mesh import MeshTopology, vertex_normals

Image = Float[np.ndarray, "height width 3"]
#: The uneven light's level as a share of the matched light's, which leaves room for the lamp.
_FAR_SHARE = 0.6
#: Standard deviation of a coefficient of band l as a share of the constant one, times l.
_UNEVEN = 0.3
_WAVES, _WAVELENGTHS_M = 40, (0.012, 0.04)


@dataclass(frozen=True, kw_only=True)
class MismatchSettings:
    """How far the images leave the model.

    Attributes:
        relief_mm: root mean square of the surface's displacement along its normals.
        roughness: of the principled skin.
        specular: of the principled skin; 0 is without shine.
        lamp: what the lamp adds on a surface that faces it, as a share of what the uneven light's mean reflects.
        clutter: brightness of the background as a share of the usual one; 0 leaves the hand over black.
        full_well: electrons at white; shot noise has a variance of signal / full_well.
        read_noise: standard deviation, white being 1.
        cast: standard deviation of the entries of a camera's colour matrix about the identity.
        cast_offset: standard deviation of its offset.
        jpeg_quality: of the compression, with halved colour resolution.
    """

    relief_mm: float = 0.35
    roughness: float = 0.45
    specular: float = 0.5
    lamp: float = 1.3
    clutter: float = 1.0
    full_well: float = 2000.0
    read_noise: float = 0.004
    cast: float = 0.04
    cast_offset: float = 0.005
    jpeg_quality: int = 90

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"mismatch: {name} must be at least 0", found=value)
        if self.full_well == 0:
            raise InputError("mismatch: full_well must be above 0", found=self.full_well)


@dataclass(frozen=True, eq=False)
class Lamp:
    """A square lamp that faces a point; it shines to one side with constant radiance."""

    position_world: Float[np.ndarray, "3"]
    target_world: Float[np.ndarray, "3"]
    half_size_m: float
    radiance: Float[np.ndarray, "3"]


def uneven_light(key: Float[np.ndarray, "4 3"], rng: np.random.Generator) -> Float[np.ndarray, "25 3"]:
    """Spherical harmonics of order 4: a dimmed key light, and bands 2 to 4 at random.

    Its radiance may be negative in places, where it counts as zero.
    """
    light = np.zeros((25, 3))
    light[:4] = _FAR_SHARE * key
    for band in (2, 3, 4):
        share = rng.normal(0, _UNEVEN / band, (2 * band + 1, 1))
        light[band**2 : (band + 1) ** 2] = _FAR_SHARE * share * key[0]
    return light


def bright_lamp(
    light: Float[np.ndarray, "coefficient 3"],
    target_world: Float[np.ndarray, "3"],
    share: float,
    rng: np.random.Generator,
) -> Lamp:
    """A lamp somewhere above, 1.2 m away and hence behind the cameras.

    A surface at the target that faces it receives E = L A / d^2, chosen so that E / pi is this share of the
    mean radiance Y_0 c_0 of the light from far away.
    """
    distance_m, half_size_m = 1.2, 0.12
    direction = np.array([rng.normal(), abs(rng.normal()) + 0.5, rng.normal()])
    direction /= np.linalg.norm(direction)
    mean_radiance = light[0] / math.sqrt(4 * math.pi)
    area_m2 = (2 * half_size_m) ** 2
    tint = np.exp(rng.normal(0, 0.08, 3))
    radiance = share * mean_radiance.mean() * tint * math.pi * distance_m**2 / area_m2
    return Lamp(target_world + distance_m * direction, target_world, half_size_m, radiance)


def fine_surface(
    verts_world: Float[np.ndarray, "frame vertex 3"],
    topology: MeshTopology,
    relief_mm: float,
    rng: np.random.Generator,
) -> tuple[MeshTopology, Float[np.ndarray, "frame fine_vertex 3"]]:
    """The mesh with every triangle cut in four, and a fixed relief along its normals that moves with the skin.

    The relief is a sum of waves of 12 to 40 mm in the space of the first frame: too fine for the model's shapes.
    """
    faces, edges = _quartered(topology.faces, topology.n_vertices)
    uv_faces, uv_edges = _quartered(topology.uv_faces, len(topology.uv))
    n_vertices = topology.n_vertices + len(edges)
    uv = np.concatenate([topology.uv, topology.uv[uv_edges].mean(axis=1)])
    fine = MeshTopology(n_vertices, faces, uv, uv_faces)
    verts = np.concatenate([verts_world, verts_world[:, edges].mean(axis=2)], axis=1)
    normals = vertex_normals(torch.as_tensor(verts), fine).numpy()
    return fine, verts + 1e-3 * relief_mm * _waves(verts[0], rng)[:, None] * normals


def _quartered(
    faces: Int[np.ndarray, "face 3"], n_vertices: int
) -> tuple[Int[np.ndarray, "fine_face 3"], Int[np.ndarray, "edge 2"]]:
    """Four triangles for each, and the edges whose midpoints are the new vertices, in their order."""
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    edges, index = np.unique(sides, axis=0, return_inverse=True)
    ab, bc, ca = (n_vertices + index.reshape(-1, 3)).T
    a, b, c = faces.T
    corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1).reshape(-1, 3), edges


def _waves(points_m: Float[np.ndarray, "point 3"], rng: np.random.Generator) -> Float[np.ndarray, " point"]:
    """Smooth noise of unit root mean square."""
    directions = rng.normal(size=(_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 2 * math.pi / rng.uniform(*_WAVELENGTHS_M, (_WAVES, 1))
    phase = rng.uniform(0, 2 * math.pi, _WAVES)
    noise = np.sin(points_m @ (frequency * directions).T + phase).sum(axis=1)
    return noise / np.sqrt(np.square(noise).mean())


def clutter(width: int, height: int, rng: np.random.Generator) -> Image:
    """A background: a gradient, bars, blurred blobs (some of them skin-coloured), a lamp that saturates."""
    corners = rng.uniform(0.03, 0.5, (2, 2, 3)).astype(np.float32)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    size = min(width, height)

    def point() -> tuple[int, int]:
        return int(rng.integers(width)), int(rng.integers(height))

    for _ in range(8):
        thickness = max(1, int(size * rng.uniform(0.01, 0.08)))
        cv2.line(image, point(), point(), rng.uniform(0.01, 0.8, 3).tolist(), thickness, cv2.LINE_8)
    for _ in range(8):
        skin = np.array([0.5, 0.28, 0.2]) * rng.uniform(0.4, 1.4)
        colour = skin if rng.random() < 0.5 else rng.uniform(0.02, 0.7, 3)
        cv2.circle(image, point(), max(1, int(size * rng.uniform(0.03, 0.14))), colour.tolist(), -1, cv2.LINE_8)
    image = cv2.GaussianBlur(image, (0, 0), size * 0.006)
    cv2.circle(image, point(), max(1, int(0.04 * size)), (1.5, 1.5, 1.4), -1, cv2.LINE_8)
    return image


@dataclass(frozen=True, eq=False)
class CameraFault:
    """One camera's colours and what stands behind the hand in its images."""

    matrix: Float[np.ndarray, "3 3"]
    offset: Float[np.ndarray, "3"]
    background: Image


def camera_fault(width: int, height: int, settings: MismatchSettings, rng: np.random.Generator) -> CameraFault:
    """A random camera."""
    matrix = np.eye(3) + rng.normal(0, settings.cast, (3, 3))
    offset = rng.normal(0, settings.cast_offset, 3)
    return CameraFault(matrix, offset, settings.clutter * clutter(width, height, rng))


def as_taken(
    rgb: Image,
    coverage: Float[np.ndarray, "height width"],
    camera: CameraFault,
    settings: MismatchSettings,
    rng: np.random.Generator,
) -> Image:
    """What a camera makes of a hand rendered over black: background, colours, noise, white, JPEG; linear RGB."""
    scene = rgb + (1 - coverage)[..., None] * camera.background
    signal = np.clip(scene @ camera.matrix.T + camera.offset, 0, None)
    electrons = rng.poisson(signal * settings.full_well)
    noisy = electrons / settings.full_well + rng.normal(0, settings.read_noise, signal.shape)
    return _jpeg(np.clip(noisy, 0, 1).astype(np.float32), settings.jpeg_quality)


def _jpeg(linear: Image, quality: int) -> Image:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode(".jpg", linear_to_srgb8(linear)[..., ::-1], options)
    return srgb8_to_linear(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1])

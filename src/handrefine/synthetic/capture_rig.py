"""The synthetic recording room: cameras around a hand, its light, and a skin that is nobody's."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Float

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.sequence import Camera
from handrefine.spherical import sh_basis

#: Share of the image's smaller side that stays free around the hand, at every frame.
_MARGIN = 0.06
#: The mean over the hand that the light aims at, and the reflected light that at most 1 % of it may exceed.
_MEAN_LEVEL, _HIGH_LEVEL = 0.42, 0.95


def cameras_around(
    verts_world: Float[np.ndarray, "frame vertex 3"], n_cameras: int, size: int, rng: np.random.Generator
) -> dict[str, Camera]:
    """Cameras on the upper half-sphere (+y up, a little below the horizon included), evenly spread.

    Each looks at the hand's middle with its own roll, focal lengths that differ by a few percent, and a principal
    point a few pixels off the centre, from just so far away that the hand stays in the image at all frames.
    """
    points = verts_world.reshape(-1, 3).astype(np.float64)
    turn = rng.uniform(0, 2 * math.pi)
    cameras = {}
    for index in range(n_cameras):
        height = -0.15 + 1.1 * (index + 0.5) / n_cameras
        azimuth = turn + index * math.pi * (3 - math.sqrt(5))
        ring = math.sqrt(1 - height * height)
        direction = np.array([ring * math.cos(azimuth), height, ring * math.sin(azimuth)])
        R = _look_along(-direction, roll=rng.normal(0, 0.2))
        fx = size * rng.uniform(2.0, 2.6)
        fy = fx * rng.uniform(0.96, 1.04)
        cx, cy = size / 2 + rng.uniform(-0.03, 0.03, 2) * size
        t = _framing_translation(points @ R.T, np.array([fx, fy]), np.array([cx, cy]), size)
        cameras[f"{index:02d}"] = Camera(f"{index:02d}", size, size, fx, fy, float(cx), float(cy), R, t)
    return cameras


def _framing_translation(
    rotated: Float[np.ndarray, "point 3"],
    focal_px: Float[np.ndarray, "2"],
    principal_px: Float[np.ndarray, "2"],
    size: int,
) -> Float[np.ndarray, "3"]:
    """t_cam_world that centres the rotated points about the principal point and moves them far enough away."""
    free = (np.minimum(principal_px, size - principal_px) - _MARGIN * size) / focal_px
    t = -(rotated.min(axis=0) + rotated.max(axis=0)) / 2
    for _ in range(4):  # the nearer side of the hand looks larger: centre it anew, then step back again
        t[2] = np.max(np.abs(rotated[:, :2] + t[:2]) / free - rotated[:, 2:])
        slopes = (rotated[:, :2] + t[:2]) / (rotated[:, 2:] + t[2])
        t[:2] -= (slopes.min(axis=0) + slopes.max(axis=0)) / 2 * (rotated[:, 2].mean() + t[2])
    t[2] = np.max(np.abs(rotated[:, :2] + t[:2]) / free - rotated[:, 2:])
    return t


def _look_along(forward: Float[np.ndarray, "3"], roll: float) -> Float[np.ndarray, "3 3"]:
    """R_cam_world of a camera that looks along `forward`, world +y towards the image's top when roll is 0."""
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(roll), math.sin(roll)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ np.stack([right, down, forward])


def skin_variation(
    skin: Float[np.ndarray, "height width 3"], size: int, rng: np.random.Generator
) -> Float[np.ndarray, "size size 3"]:
    """The skin times a smooth random tint: brightness varies by some 15 %, hue by 6 %; linear RGB."""
    brightness = rng.normal(0, 0.15, (7, 7, 1))
    tint = np.exp(brightness + rng.normal(0, 0.06, (7, 7, 3))).astype(np.float32)
    smooth = cv2.resize(tint, (size, size), interpolation=cv2.INTER_CUBIC)
    resized = cv2.resize(np.asarray(skin, np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(resized * smooth, 0.02, 0.9)


def key_light(
    verts_world: Float[np.ndarray, "frame vertex 3"],
    topology: MeshTopology,
    texture: Float[np.ndarray, "size size 3"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "4 3"]:
    """Spherical-harmonics coefficients (bands 0 and 1) of a soft key light over ambient light, never negative.

    radiance(d) = ambient + key (k . d); its unshadowed diffuse reflection at a normal n is
    albedo * (ambient + 2/3 key (k . n)) (Ramamoorthi and Hanrahan, 2001), from which the level is set so that the
    hand is well exposed.
    """
    direction = np.array([rng.normal(), abs(rng.normal()) + 0.6, rng.normal()])
    direction /= np.linalg.norm(direction)
    colour = np.exp(rng.normal(0, 0.06, 3))
    colour /= colour.mean()
    key = rng.uniform(0.6, 0.85) * np.exp(rng.normal(0, 0.05, 3)).clip(None, 1.15)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    radiance = colour * (1 + (axes @ direction)[:, None] * key)
    coefficients = np.linalg.lstsq(sh_basis(torch.as_tensor(axes), 1).numpy(), radiance, rcond=None)[0]

    albedo = _vertex_albedo(topology, texture)
    normals = vertex_normals(torch.as_tensor(verts_world), topology).numpy()
    reflected = albedo * colour * (1 + 2 / 3 * (normals @ direction)[..., None] * key)
    level = min(_MEAN_LEVEL / reflected.mean(), _HIGH_LEVEL / np.percentile(reflected, 99))
    return coefficients * level


def _vertex_albedo(topology: MeshTopology, texture: np.ndarray) -> Float[np.ndarray, "vertex 3"]:
    size = np.array(texture.shape[1::-1])
    u, v = np.clip((topology.split_uv * [1, -1] + [0, 1]) * size, 0, size - 1).astype(int).T
    albedo = np.zeros((topology.n_vertices, 3))
    albedo[topology.split_to_vertex] = texture[v, u]
    return albedo

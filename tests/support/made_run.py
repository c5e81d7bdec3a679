"""A run folder made without a refinement, with what exports and viewers read."""

from pathlib import Path

import numpy as np
import torch

from handrefine.config import Config
from handrefine.config_files import config_to_mapping
from handrefine.files import write_yaml
from handrefine.hand.model import load_hand_model
from handrefine.runs.annotation_file import HandState, RunAnnotation, write_annotation_npz
from handrefine.runs.artifacts import write_environment, write_texture
from handrefine.sequence import Camera, ManoParameters, Side
from handrefine.spherical import latlong_directions, sh_basis

FRAMES = (7, 19, 20)
MAP_HEIGHT = 16


def make_run(
    folder: Path, side: Side = "right", *, texture: np.ndarray | None = None, size: int = 40
) -> RunAnnotation:
    """Three frames, two cameras with fx != fy and an off-centre principal point, order-1 light."""
    folder.mkdir(parents=True)
    hand = load_hand_model(side)
    rng = np.random.default_rng(1)
    pose, shape = rng.normal(0, 0.15, (3, 48)), np.tile(rng.normal(0, 0.5, 10), (3, 1))
    trans = rng.normal(0, 0.01, (3, 3))

    def state(pose_aa: np.ndarray) -> HandState:
        with torch.no_grad():
            out = hand(*(torch.as_tensor(x).float() for x in (pose_aa, shape, trans)))
        return HandState(
            ManoParameters(pose_aa, shape, trans), out.verts_world.numpy(), out.joints_world.numpy().astype(float)
        )

    before, after = state(pose + 0.02), state(pose)
    centre = after.verts_world.reshape(-1, 3).mean(axis=0)
    cameras = tuple(
        _camera(name, centre, direction, size)
        for name, direction in (("front", [0.2, 1.0, 0.3]), ("odd-- name", [-0.3, -1.0, 0.4]))
    )
    run = RunAnnotation(
        side=side,
        frames=FRAMES,
        before=before,
        after=after,
        topology=hand.topology,
        cameras=cameras,
        views=tuple((k, camera.name) for k in range(3) for camera in cameras),
        hand_model=hand.name,
    )
    write_annotation_npz(folder / "annotation.npz", run)
    write_texture(folder / "texture.png", hand.default_skin()[::8, ::8] if texture is None else texture)
    write_environment(folder, environment(), coefficients(), 1)
    write_yaml(folder / "config.yaml", {"config": config_to_mapping(Config())})
    return run


def coefficients() -> np.ndarray:
    """Light from one side, bluish from below."""
    return np.array([[3.0, 3.0, 3.2], [0.9, 0.8, 0.4], [-0.5, -0.6, 0.3], [0.6, 0.5, 0.5]], np.float32)


def environment() -> np.ndarray:
    basis = sh_basis(latlong_directions(MAP_HEIGHT, 2 * MAP_HEIGHT), 1)
    return (basis @ torch.from_numpy(coefficients())).clamp(min=0).numpy()


def _camera(name: str, target: np.ndarray, direction: list[float], size: int) -> Camera:
    """A camera 0.6 m from the target in that direction, its pixels 5 % wider than high."""
    z = -np.array(direction) / np.linalg.norm(direction)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    cx, cy, focal = 0.46 * size, 0.55 * size, 2.2 * size
    # The target is seen in the middle although the principal point is not there.
    seen = np.array([(size / 2 - cx) / (1.05 * focal), (size / 2 - cy) / focal, 1.0]) * 0.6
    return Camera(name, size, size, 1.05 * focal, focal, cx, cy, R, seen - R @ target)

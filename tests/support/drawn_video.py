"""A video of the open hand without a renderer: its triangles filled with one colour, over clutter or black."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import torch

from handrefine.colour import srgb8_to_linear
from handrefine.hand.model import HandGeometry, HandModel, load_hand_model
from handrefine.sequence import Camera, FrameId, FrameIndex, HandAnnotation, HandSequence, ManoParameters, ViewKey

FRAMES = (FrameId(3), FrameId(7))
SIZE = (96, 80)


@cache
def open_hand() -> HandModel:
    return load_hand_model("right", None)


def mano(n_frames: int = len(FRAMES)) -> ManoParameters:
    rng = np.random.default_rng(5)
    pose = rng.normal(0, 0.15, (n_frames, 48))
    return ManoParameters(pose, np.zeros((n_frames, 10)), rng.normal(0, 0.02, (n_frames, 3)), open_hand=True)


def posed(parameters: ManoParameters) -> HandGeometry:
    tensors = (
        torch.tensor(v, dtype=torch.float32) for v in (parameters.pose_aa, parameters.shape, parameters.trans_m)
    )
    with torch.no_grad():
        return open_hand()(*tensors, flat_hand_mean=parameters.flat_hand_mean)


def camera(name: str, azimuth: float, elevation: float, target: np.ndarray, distance_m: float = 0.6) -> Camera:
    """Looks at the target; its picture is about three hands wide."""
    forward = -np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    )
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    centre = target - distance_m * forward
    return Camera(name, *SIZE, 150.0, 155.0, SIZE[0] / 2 + 2, SIZE[1] / 2 - 1, R, -R @ centre)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The sequence, and what its readers would give: 8-bit pictures and masks that tests may change."""

    sequence: HandSequence
    pictures: dict[ViewKey, np.ndarray]
    masks: dict[ViewKey, np.ndarray]

    def video(self, **changes: object) -> HandSequence:
        """The sequence with the pictures and masks as they are now, and other parts changed."""
        images = {key: (lambda p=p: srgb8_to_linear(p)) for key, p in self.pictures.items()}
        masks = {key: (lambda m=m: m) for key, m in self.masks.items()}
        return replace(self.sequence, **{"images": images, "masks": masks, **changes})  # pyright: ignore[reportArgumentType]


def draw(*, over_black: bool = False, n_cameras: int = 4) -> Drawn:
    parameters = mano()
    geometry = posed(parameters)
    target = geometry.verts_world.numpy().mean(axis=(0, 1)).astype(np.float64)
    around = [(0.3 + 1.5 * k, 0.5 * (-1) ** k) for k in range(n_cameras)]
    cameras = {f"{k:02d}": camera(f"{k:02d}", a, e, target) for k, (a, e) in enumerate(around)}
    rng = np.random.default_rng(6)
    pictures: dict[ViewKey, np.ndarray] = {}
    masks: dict[ViewKey, np.ndarray] = {}
    for position in (FrameIndex(0), FrameIndex(1)):
        for name, at in cameras.items():
            mask = silhouette(geometry.verts_world[position].double(), at)
            clutter = rng.integers(30, 220, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            clutter = cv2.GaussianBlur(clutter, (0, 0), 2)
            picture = np.zeros_like(clutter) if over_black else clutter
            picture[mask] = (200, 150, 120)
            pictures[position, name], masks[position, name] = picture, mask
    annotation = HandAnnotation(
        "right", parameters, np.ones(2, bool), geometry.joints_world.double().numpy(), np.ones((2, 21), bool)
    )
    sequence = HandSequence("drawn", cameras, FRAMES, {}, {"right": annotation})
    return Drawn(sequence, pictures, {} if over_black else masks)


def silhouette(verts_world: torch.Tensor, at: Camera) -> np.ndarray:
    """The pixels that the hand's triangles cover."""
    uv_px = at.project(verts_world).numpy() - 0.5
    mask = np.zeros((at.height, at.width), np.uint8)
    for triangle in uv_px[open_hand().topology.faces]:
        cv2.fillConvexPoly(mask, np.rint(triangle).astype(np.int32), 1)
    return mask > 0


def changed_cameras(cameras: Mapping[str, Camera], change) -> dict[str, Camera]:
    return {name: change(at) for name, at in cameras.items()}

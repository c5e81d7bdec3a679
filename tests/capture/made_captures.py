"""A capture that is known exactly: a rig, two moving hands, and what a detector with noise would find."""

import numpy as np

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.capture.detections import Detections
from handrefine.lens import Lens

WIDTH, HEIGHT, FOCAL_PX = 1280, 1024, 1400.0


def look_at(center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R and t of a camera at `center` that looks at the origin."""
    z = -center / np.linalg.norm(center)
    x = np.cross([0.0, 1.0, 0.2], z)
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return R, -R @ center


def rig(n_cameras: int, *, lens: Lens | None = None, distance_m: float = 0.8) -> list[RigCamera]:
    cameras = []
    for k in range(n_cameras):
        angle = -0.9 + 1.8 * k / max(n_cameras - 1, 1)
        center = distance_m * np.array([np.sin(angle), 0.25 * np.cos(3 * k), -np.cos(angle)])
        R, t = look_at(center)
        K = np.array([[FOCAL_PX, 0, 640 + 5 * k], [0, FOCAL_PX - 10, 512 - 4 * k], [0, 0, 1]])
        cameras.append(RigCamera(f"cam{k}", K, R, t, lens, (WIDTH, HEIGHT)))
    return cameras


def hands(n_frames: int) -> np.ndarray:
    """Joints of a right and a left hand, (frame, 2, 21, 3) in metres: they move, and the fingers bend."""
    time = np.arange(n_frames) / 30
    joints = np.zeros((n_frames, 2, 21, 3))
    for side, sign in enumerate((1.0, -1.0)):
        joints[:, side, 0] = np.stack(
            [sign * 0.11 + 0.03 * np.sin(2 * time), 0.02 * np.cos(3 * time), 0.02 * np.sin(time + side)], axis=1
        )
        for finger in range(5):
            spread = sign * (finger - 2) * 0.2 + 0 * time
            bend = 0.4 + 0.35 * np.sin(2.2 * time + finger)
            at = joints[:, side, 0].copy()
            for k, length in enumerate((0.09, 0.04, 0.025, 0.022)):
                pitch = k * bend
                along = np.stack(
                    [np.sin(spread) * np.cos(pitch), -np.cos(spread) * np.cos(pitch), -np.sin(pitch)],
                    axis=1,
                )  # fmt: skip
                at = at + length * along
                joints[:, side, 1 + 4 * finger + k] = at
    return joints


def detected(
    cameras: list[RigCamera],
    joints: np.ndarray,
    rng: np.random.Generator,
    *,
    noise_px: float = 0.0,
    outliers: float = 0.0,
    wrong_words: float = 0.0,
) -> Detections:
    """What a detector sees: noise, wild outliers, and slots in random order with some wrong words."""
    uv_px = np.stack([camera.project(joints) for camera in cameras])
    uv_px = uv_px + rng.normal(0, noise_px, uv_px.shape)
    wild = rng.random(uv_px.shape[:-1]) < outliers
    uv_px[wild] = rng.uniform([0, 0], [WIDTH, HEIGHT], (int(wild.sum()), 2))
    says = np.broadcast_to(np.array([0.95, 0.05]), uv_px.shape[:3]).copy()
    says = np.where(rng.random(uv_px.shape[:2])[..., None] < wrong_words, says[..., ::-1], says)
    found = Detections(tuple(c.name for c in cameras), uv_px, np.ones(uv_px.shape[:-1]), says)
    return found.swapped(rng.random(uv_px.shape[:2]) < 0.5)

"""A synthetic capture as it lies on disk before an import: pictures, calibration, 2D joints; lenses or none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float

from handrefine.camera import Camera
from handrefine.capture.calibration.registry import read_calibration
from handrefine.capture.import_capture import RawCapture
from handrefine.capture.keypoints.registry import read_keypoints
from handrefine.capture.matching import match_cameras
from handrefine.capture.sources import read_sources
from handrefine.colour import linear_to_srgb8
from handrefine.config import Config
from handrefine.hand.model import load_hand_model
from handrefine.io.image_files import write_image
from handrefine.lens import Lens
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.sequence import ViewKey
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truths
from handrefine.synthetic.video_images import render_images

#: The cameras look through these in turn; at the image's corners they move a pixel by a sixth of the radius.
LENSES = (
    Lens("opencv", (-0.9, 0.6, 0.006, -0.004, 0.0)),
    Lens("fisheye", (-0.5, 0.3, 0.0, 0.0)),
    Lens("opencv", (-0.9, 0.6, 0.006, -0.004, 0.0, 0.05, -0.02, 0.0, 0.003, 0.0, -0.004, 0.0, 0.02, -0.03)),
    Lens("fisheye", (0.6, -0.2, 0.0, 0.0)),
)
#: Renders are so much finer than the pictures, and noise of a detection in pixels of these.
FINER, NOISE_PX = 4, 1.0


@dataclass(frozen=True, eq=False)
class Filmed:
    """A true video, its renders, and its cameras at the pictures' size, without lenses."""

    truth: SyntheticTruth
    renders: Mapping[ViewKey, Float[np.ndarray, "_ _ 3"]]
    cameras: Mapping[str, Camera]


def film(settings: SyntheticSettings, config: Config) -> Filmed:
    """Render the video once, for pictures with and without lenses alike."""
    runtime = start_mitsuba(config.render.variant)
    hand = load_hand_model("right")
    (fine,) = make_truths([hand], [hand.default_skin()], replace(settings, size=FINER * settings.size))
    renders = render_images([hand], [fine], settings, config, runtime.device).images
    small = {name: camera.resized(settings.size, settings.size) for name, camera in fine.cameras.items()}
    return Filmed(fine, renders, small)


def write_capture(folder: Path, filmed: Filmed, *, lenses: bool, seed: int) -> RawCapture:
    """Write it, and read it as its import does."""
    names = list(filmed.cameras)
    cameras = {
        name: replace(camera, lens=LENSES[k % len(LENSES)] if lenses else None)
        for k, (name, camera) in enumerate(filmed.cameras.items())
    }
    rig, frames = {}, filmed.truth.frames
    for name, camera in cameras.items():
        maps = _positions(camera)
        for k, frame in enumerate(frames):
            picture = _resampled(filmed.renders[k, name], maps)  # pyright: ignore[reportArgumentType]
            path = folder / name / f"image{frame}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, linear_to_srgb8(picture))
        rig[name] = _calibration(camera)
    (folder / "rig.json").write_text(json.dumps(rig))
    joints = torch.as_tensor(filmed.truth.joints_world)
    rng = np.random.default_rng(seed)
    uv_px = np.stack([camera.project(joints).numpy() for camera in cameras.values()])[:, :, None]
    uv_px = np.concatenate([uv_px + rng.normal(0, NOISE_PX, uv_px.shape), np.full_like(uv_px, np.nan)], axis=2)
    known = np.isfinite(uv_px[..., 0]).astype(float)
    np.savez(folder / "keypoints.npz", camera=np.array(names), frames=frames, uv_px=uv_px, confidence=known)
    sources = read_sources((), [f"{name}={folder / name}" for name in names])
    calibrated, _ = match_cameras(sources, read_calibration(folder / "rig.json", "auto"))
    return RawCapture(sources, calibrated, read_keypoints(folder / "keypoints.npz", sources))


def _positions(camera: Camera) -> Float[np.ndarray, "row column 2"]:
    """Where the points of a picture, `FINER` a pixel's side, lie in the render; nowhere past its reach."""
    steps = [(np.arange(FINER * n) + 0.5) / FINER for n in (camera.width, camera.height)]
    u, v = np.meshgrid(*steps)
    rays = camera.on_plane(torch.as_tensor(np.stack([u, v], axis=-1))).numpy()
    uv_px = rays * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    return np.nan_to_num(FINER * uv_px - 0.5, nan=-1e4).astype(np.float32)


def _resampled(render: Float[np.ndarray, "_ _ 3"], positions: np.ndarray) -> Float[np.ndarray, "_ _ 3"]:
    fine = cv2.remap(np.asarray(render, np.float32), positions, None, cv2.INTER_LINEAR)  # pyright: ignore
    height, width = fine.shape[:2]
    return fine.reshape(height // FINER, FINER, width // FINER, FINER, 3).mean(axis=(1, 3))


def _calibration(camera: Camera) -> dict[str, object]:
    """As OpenCV's users write it: pixel centres at whole numbers."""
    K = [[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1]]
    lens = camera.lens
    return {
        "K": K,
        "R": camera.R_cam_world.tolist(),
        "t": camera.t_cam_world.tolist(),
        "dist": [] if lens is None else list(lens.coefficients),
        "fisheye": lens is not None and lens.model == "fisheye",
    }

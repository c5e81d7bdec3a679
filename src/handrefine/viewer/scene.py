"""The things around the hand in the 3D viewer: cameras with their images, bones, a colour bar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float, UInt8

from handrefine.sequence import WRIST, Camera, ViewKey

FINGERS, BONES = 5, 4
LINE_M = 0.001
#: Standard deviation of a joint that is shown in red.
UNSURE_MM = 4.0


@dataclass(frozen=True, eq=False)
class WindowImage:
    """An sRGB image of a camera's window (x0, y0, x1, y1) in pixels of the full image, at any resolution."""

    pixels: UInt8[np.ndarray, "height width 3"]
    window_px: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class CameraNodes:
    """One camera in the viewer: its pyramid and its image at every frame."""

    pyramid: Any
    images: Mapping[int, Any]

    def show(self, frame: int, *, lines: bool, image: bool) -> None:
        self.pyramid.visible = lines
        for k, node in self.images.items():
            node.visible = image and k == frame


def add_camera(
    scene: Any, camera: Camera, images: Mapping[ViewKey, WindowImage], depth_m: float, frames: Sequence[int]
) -> CameraNodes:
    """Add a camera, its image so far in front of it; the pyramid of one that moves stands at its first frame.

    Exact for fx != fy and any principal point, which viser's own frustum is not.
    """
    name = f"/cameras/{camera.name}"
    own = {frame: image for (frame, of), image in images.items() if of == camera.name}
    window = next((p.window_px for p in own.values()), (0, 0, camera.width, camera.height))
    pyramid = scene.add_line_segments(
        f"{name}/pyramid", pyramid_lines(camera, window, depth_m), (90, 90, 100), thickness=LINE_M
    )
    nodes = {}
    for frame, image in own.items():
        here = camera.at(frames[frame])
        # Images in viser have x right and y down, like cameras here.
        wxyz = _quaternion(here.R_cam_world.T)
        corners = corners_world(here, image.window_px, depth_m)
        nodes[frame] = scene.add_image(
            f"{name}/{frame}",
            image.pixels,
            float(np.linalg.norm(corners[1] - corners[0])),
            float(np.linalg.norm(corners[3] - corners[0])),
            wxyz=wxyz,
            position=corners.mean(axis=0),
            visible=False,
        )
    return CameraNodes(pyramid, nodes)


def corners_world(
    camera: Camera, window_px: tuple[int, int, int, int], depth_m: float
) -> Float[np.ndarray, "4 3"]:
    """The window's corners on a plane in front of the camera: upper left first, clockwise."""
    x0, y0, x1, y1 = window_px
    uv = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)
    rays = np.concatenate([(uv - [camera.cx, camera.cy]) / [camera.fx, camera.fy], np.ones((4, 1))], axis=1)
    return (depth_m * rays) @ camera.R_cam_world + camera.center_world


def pyramid_lines(
    camera: Camera, window_px: tuple[int, int, int, int], depth_m: float
) -> Float[np.ndarray, "8 2 3"]:
    """From the camera's centre to the corners, and around them."""
    corners = corners_world(camera, window_px, depth_m)
    spokes = np.stack([np.broadcast_to(camera.center_world, corners.shape), corners], axis=1)
    around = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    return np.concatenate([spokes, around])


def joint_lines(joints_world: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "20 2 3"]:
    """The bones of the five fingers, from the wrist on."""
    fingers = np.delete(joints_world, WRIST, axis=0).reshape(FINGERS, BONES, 3)
    wrist = np.broadcast_to(joints_world[WRIST], (FINGERS, 1, 3))
    chain = np.concatenate([wrist, fingers], axis=1)
    return np.stack([chain[:, :-1], chain[:, 1:]], axis=2).reshape(-1, 2, 3)


def bone_colours(std_mm: Float[np.ndarray, " 21"]) -> UInt8[np.ndarray, "20 2 3"]:
    """Colours of the ends of `joint_lines`: green where a joint is sure, red from `UNSURE_MM` on."""
    from matplotlib import colormaps

    shown = np.rint(255 * colormaps["RdYlGn_r"](np.clip(std_mm / UNSURE_MM, 0, 1))[:, :3]).astype(np.uint8)
    fingers = np.delete(shown, WRIST, axis=0).reshape(FINGERS, BONES, 3)
    chain = np.concatenate([np.broadcast_to(shown[WRIST], (FINGERS, 1, 3)), fingers], axis=1)
    return np.stack([chain[:, :-1], chain[:, 1:]], axis=2).reshape(-1, 2, 3)


def colour_bar(length: int = 256) -> UInt8[np.ndarray, "4 length 3"]:
    """From pale yellow to dark red (matplotlib's YlOrRd): light where errors are small, as shading is dark."""
    from matplotlib import colormaps

    bar = colormaps["YlOrRd"](np.linspace(0, 1, length))[:, :3]
    return np.repeat(np.rint(255 * bar).astype(np.uint8)[None], 4, axis=0)


def _quaternion(rotation: Float[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    x, y, z, w = roma.rotmat_to_unitquat(torch.as_tensor(rotation)).tolist()
    return w, x, y, z

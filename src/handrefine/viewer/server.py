"""A run in a browser, in 3D: the hand over time before and after, cameras with their images, joints and errors."""

import io
import secrets
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
from jaxtyping import Float, UInt8

from handrefine.errors import InputError
from handrefine.export.glb import glb_bytes
from handrefine.export.meshes import TexturedMesh
from handrefine.io.image_files import srgb_bytes
from handrefine.sequence import Camera
from handrefine.viewer.content import ViewerContent
from handrefine.viewer.guard import guarded_servers
from handrefine.viewer.scene import UNSURE_MM, add_camera, bone_colours, colour_bar, joint_lines

STATES = ("after", "before")
SKIN, PLAIN, ERROR, JOINTS = "texture", "plain", "error", "joints"
#: A hand of any colour that lets the joints be seen.
GLASS, GLASS_OPACITY = "translucent ", 0.55
#: Textures go to the browser once a frame, so they are made smaller.
TEXTURE_SIDE_PX = 512
PLAYBACK_HZ = 6.0
#: How far in front of its camera an image stands, as a share of the camera's distance from the hand.
IMAGE_DEPTH = 0.35
MISSING = "the viewer needs viser"
#: The hand's position, before or after, what is shown of it, and the frame's position.
Key = tuple[int, str, str, int]
JOINT_RGB = {"after": (30, 170, 90), "before": (230, 120, 30)}


class Viewer:
    """A running server. `step` moves a playing film on; `serve` does so for ever; `stop` ends it.

    Only who has its `url`, which holds a secret, can look at it.

    Args:
        host: address to listen at; this machine alone can reach it unless another is asked for.

    Raises:
        InputError: viser is not installed, or the server cannot be started.
    """

    def __init__(self, content: ViewerContent, *, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._content = content
        self._token = secrets.token_urlsafe(16)
        self._server = _server(host, port, self._token)
        self._nodes: dict[Key, Any] = {}
        self._errors = [{which: hand.error_mm(which) for which in STATES} for hand in content.hands]
        plain, bar = _jpeg(np.full((8, 8, 3), 0.45, np.float32)), _png(colour_bar())
        self._textures = [{SKIN: _jpeg(_shrunk(hand.texture)), PLAIN: plain, ERROR: bar} for hand in content.hands]
        self._controls()
        after = [hand.states["after"].verts_world.reshape(-1, 3) for hand in content.hands]
        centre = np.concatenate(after).mean(axis=0).astype(float)
        self._cameras = [
            add_camera(
                self._server.scene,
                camera,
                content.images,
                IMAGE_DEPTH * _distance(camera, centre),
                content.frames,
            )
            for camera in content.cameras
        ]
        self._place_visitors(centre, _radius(after, centre))
        self._show()

    @property
    def url(self) -> str:
        return f"http://{self._server.get_host()}:{self._server.get_port()}/{self._token}/"

    @property
    def frame(self) -> int:
        """The frame that is shown."""
        return int(self._frame.value)

    def step(self) -> None:
        """The next frame, if the film is playing."""
        if self._playing.value:
            self._frame.value = (self.frame + 1) % len(self._content.frames)

    def serve(self) -> None:
        """Until interrupted."""
        try:
            while True:
                time.sleep(1 / PLAYBACK_HZ)
                self.step()
        finally:
            self.stop()

    def stop(self) -> None:
        self._server.stop()

    def _controls(self) -> None:
        gui, content = self._server.gui, self._content
        gui.set_panel_label(content.title)
        last = len(content.frames) - 1
        self._frame = gui.add_slider("frame", 0, max(last, 1), 1, 0, disabled=last == 0)
        self._playing = gui.add_checkbox("play", False, disabled=last == 0)
        self._which = gui.add_dropdown("hand", (*STATES, "both"), initial_value="after")
        known = any(hand.truth_verts_world is not None for hand in content.hands)
        colours = (SKIN, PLAIN, ERROR) if known else (SKIN, PLAIN)
        self._colour = gui.add_dropdown("colour", colours, initial_value=SKIN)
        self._joints = gui.add_checkbox("joints", False)
        self._frusta = gui.add_checkbox("cameras", True)
        self._images = gui.add_checkbox("images", bool(content.images), disabled=not content.images)
        dark = gui.add_checkbox("dark", False)
        dark.on_update(lambda _: gui.configure_theme(dark_mode=dark.value))
        self._text = gui.add_markdown("")
        for control in (self._frame, self._which, self._colour, self._joints, self._frusta, self._images):
            control.on_update(lambda _: self._show())

    def _show(self) -> None:
        """Make the scene agree with the controls."""
        which = STATES if self._which.value == "both" else (self._which.value,)
        colour = self._colour.value
        kinds = (GLASS + colour, JOINTS) if self._joints.value else (colour,)
        there = [k for k in range(len(self._content.hands)) if self._row(k, self.frame) is not None]
        wanted = {(k, state, kind, self.frame) for k in there for state in which for kind in kinds}
        with self._server.atomic():
            for key in wanted - self._nodes.keys():
                self._nodes[key] = self._add(key)
            for key, node in self._nodes.items():
                node.visible = key in wanted
            for camera in self._cameras:
                camera.show(self.frame, lines=self._frusta.value, image=self._images.value)
        self._text.content = self._description(which)

    def _row(self, hand: int, frame: int) -> int | None:
        """Where a hand's arrays hold a frame; None where the hand is not there."""
        own, number = self._content.hands[hand].frames, self._content.frames[frame]
        return own.index(number) if number in own else None

    def _add(self, key: Key) -> Any:
        """A hand or its joints at one frame; sent to the browser when it is first wanted."""
        k, which, kind, frame = key
        hand, row = self._content.hands[k], self._row(k, frame)
        assert row is not None  # only what is there is wanted
        name = f"/{hand.side}/{which}/{kind}/{frame}"
        if kind == JOINTS:
            lines = joint_lines(hand.states[which].joints_world[row])
            colours = JOINT_RGB[which]
            if which == "after" and hand.evidence is not None:
                colours = bone_colours(hand.evidence.std_mm[row])
            return self._server.scene.add_line_segments(name, lines, colours, thickness=0.002)
        colour = kind.removeprefix(GLASS)
        opacity = 1.0 if colour == kind else GLASS_OPACITY
        mesh = self._mesh(k, which, colour, row)
        return self._server.scene.add_glb(name, glb_bytes(mesh, self._textures[k][colour], opacity=opacity))

    def _mesh(self, k: int, which: str, colour: str, row: int) -> TexturedMesh:
        hand, errors = self._content.hands[k], self._errors[k][which]
        mesh = TexturedMesh.of(hand.states[which].verts_world[row : row + 1], hand.topology)
        if colour != ERROR or errors is None:
            return mesh
        # The colour bar is a texture, so the error is a texture coordinate.
        share = np.clip(errors[row] / self._largest_mm, 0, 1)[hand.topology.split_to_vertex]
        return replace(mesh, uv=np.stack([share, np.full_like(share, 0.5)], axis=1))

    @property
    def _largest_mm(self) -> float:
        """The end of the colour bar: the same for all states and hands, so that their colours can be compared."""
        known = [errors.ravel() for of in self._errors if (errors := of["before"]) is not None]
        errors = np.concatenate(known) if known else np.zeros(1)
        return float(np.quantile(errors, 0.95)) if errors.any() else 1.0

    def _description(self, which: tuple[str, ...]) -> str:
        lines = [f"frame **{self._content.frames[self.frame]}**"]
        for k, hand in enumerate(self._content.hands):
            row = self._row(k, self.frame)
            if row is None:
                lines.append(f"no {hand.side} hand here")
                continue
            side = f"{hand.side} hand " if len(self._content.hands) > 1 else ""
            for state in which:
                errors = self._errors[k][state]
                if errors is not None:
                    lines.append(f"{side}{state}: mean vertex error **{errors[row].mean():.2f} mm**")
            if self._joints.value and hand.evidence is not None and "after" in which:
                largest = hand.evidence.std_mm[row].max()
                lines.append(
                    f"{side}joints: green is sure, red unsure by {UNSURE_MM:g} mm; at most {largest:.1f} mm"
                )
        if self._colour.value == ERROR:
            lines.append(f"pale 0 mm, dark red {self._largest_mm:.1f} mm and more")
        return "\n\n".join(lines)

    def _place_visitors(self, target: Float[np.ndarray, "3"], radius: float) -> None:
        """Let visitors look at the hand from beside the first camera, what the cameras call up being up.

        radius: within which the hands are, around the target; they take about half of the window's height.
        """
        content = self._content
        if not content.cameras:
            return
        up = -np.mean([camera.R_cam_world[1] for camera in content.cameras], axis=0)
        if np.linalg.norm(up) > 0.1:
            self._server.scene.set_up_direction(up / np.linalg.norm(up))
        first = content.cameras[0]
        away = first.center_world - target
        side = first.R_cam_world[0] * np.linalg.norm(away)
        initial = self._server.initial_camera
        towards = 0.7 * away + 0.45 * side
        distance = radius / (0.6 * np.tan(initial.fov / 2))
        initial.position = tuple((target + distance * towards / np.linalg.norm(towards)).tolist())
        initial.look_at = tuple(target.tolist())


def _server(host: str, port: int, token: str) -> Any:
    try:
        import viser  # pyright: ignore[reportMissingImports]  (an extra)
    except ImportError as error:
        raise InputError(MISSING, found=error, fix="pip install '.[view]' in handrefine's folder") from error
    try:
        # viser prints an address, and the guard refuses it: it lacks the secret.
        with guarded_servers(token), redirect_stdout(io.StringIO()):
            return viser.ViserServer(host=host, port=port, verbose=False)
    except OSError as error:
        raise InputError(
            "the viewer cannot be started", where=f"{host}:{port}", found=error, fix="choose another --port"
        ) from error


def _distance(camera: Camera, point_world: Float[np.ndarray, "3"]) -> float:
    return float(np.linalg.norm(camera.center_world - point_world))


def _radius(verts_world: Sequence[Float[np.ndarray, "_n 3"]], centre: Float[np.ndarray, "3"]) -> float:
    """Within which nearly all vertices are, of all frames."""
    return float(np.quantile(np.linalg.norm(np.concatenate(verts_world) - centre, axis=1), 0.99))


def _shrunk(texture: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "_h _w 3"]:
    side = max(texture.shape[:2])
    if side <= TEXTURE_SIDE_PX:
        return texture
    size = [max(1, round(n * TEXTURE_SIDE_PX / side)) for n in texture.shape[1::-1]]
    return cv2.resize(texture, size, interpolation=cv2.INTER_AREA)


def _jpeg(linear: Float[np.ndarray, "height width 3"]) -> bytes:
    return iio.imwrite("<bytes>", srgb_bytes(linear), extension=".jpg", plugin="pillow", quality=92)


def _png(pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
    return iio.imwrite("<bytes>", pixels, extension=".png", plugin="pillow")

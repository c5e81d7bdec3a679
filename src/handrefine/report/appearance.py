"""What a run found beside the motion: texture, light, and the cameras' colours."""

from collections.abc import Mapping
from html import escape

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from handrefine.io.image_files import srgb_bytes
from handrefine.mesh import MeshTopology
from handrefine.report.contents import RunContents
from handrefine.report.markup import LOSSLESS, PHOTO_QUALITY, figure, image_element, table
from handrefine.report.view_panels import shrunk
from handrefine.sequence import Camera
from handrefine.spherical import radiance_map, sh_basis

TEXTURE_PX, STAGE_PX, SEEN_PX, MAP_ROWS, SPHERE_PX = 640, 256, 256, 64, 176
UNSEEN = (232, 62, 140)
#: Share of a band of light that a diffuse surface keeps (Ramamoorthi and Hanrahan 2001), over pi; bands 0 to 4.
DIFFUSE_BANDS = (1.0, 2 / 3, 1 / 4, 0.0, -1 / 24)
#: Linear RGB that swatches start from: three skins, a grey and three plain colours.
SWATCHES = (
    (0.58, 0.34, 0.24),
    (0.32, 0.16, 0.10),
    (0.10, 0.05, 0.03),
    (0.5, 0.5, 0.5),
    (0.55, 0.08, 0.06),
    (0.08, 0.4, 0.1),
    (0.06, 0.12, 0.5),
)


def texture(contents: RunContents) -> str:
    """The texture with its unseen texels marked, and its growth over the stages."""
    if contents.texture is None:
        return ""
    image = shrunk(srgb_bytes(contents.texture), TEXTURE_PX)
    inside, caption = image_element(image, "texture of the hand", quality=PHOTO_QUALITY), "Reflectance."
    if contents.texture_seen is not None:
        seen = contents.texture_seen
        used = None if contents.annotation is None else atlas_texels(contents.annotation.topology, len(seen))
        unseen = ~seen if used is None else used & ~seen
        inside += image_element(_hatched(unseen), "texels that no camera saw", quality=LOSSLESS, kind="unseen")
        caption += f" Hatched: seen by no camera ({_share(unseen, used)} of the hand)."
        toggle = '<label class="check"><input type="checkbox" checked data-unseen> mark unseen texels</label>'
        inside = f'<div class="stack texture">{inside}</div>{toggle}'
    stages = "".join(
        figure(
            image_element(
                shrunk(srgb_bytes(stage), STAGE_PX), f"texture after stage {name}", quality=PHOTO_QUALITY
            ),
            f"after <b>{escape(name)}</b>",
        )
        for name, stage in contents.stages.items()
    )
    growth = f'<div><h3>Growth over the stages</h3><div class="row">{stages}</div></div>' if stages else ""
    return f"{figure(inside, caption, kind='big')}{growth}"


def atlas_texels(topology: MeshTopology, size: int) -> Bool[np.ndarray, "size size"]:
    """Texels that some triangle of the hand uses; row 0 is the top (v = 1)."""
    used = np.zeros((size, size), np.uint8)
    corners = topology.uv_texels(size) - 0.5
    for triangle in np.rint(corners[topology.uv_faces]).astype(np.int32):
        cv2.fillConvexPoly(used, triangle, 1)
    return used.astype(bool)


def light(contents: RunContents) -> str:
    """The environment map that the coefficients were baked into, and a white diffuse sphere in that light."""
    if contents.light is None:
        return ""
    coefficients = torch.as_tensor(contents.light, dtype=torch.float32)
    baked = radiance_map(coefficients, MAP_ROWS).numpy()
    exposure = 1 / max(1.0, float(baked.max()))
    map_image = image_element(srgb_bytes(baked * exposure), "environment map", quality=95)
    darker = "" if exposure == 1 else f" Shown at {exposure:.2f} times its brightness."
    caption = f"Light from every direction, as it was baked from {coefficients.numel()} coefficients.{darker}"
    if contents.annotation is not None:
        centre = contents.annotation.after.verts_world.mean(axis=(0, 1))
        map_image += _camera_marks(contents.annotation.cameras, centre)
        caption += " Dots: where the cameras stand."
    parts = [figure(f'<div class="stack">{map_image}</div>', caption, kind="map")]
    if contents.annotation is not None and contents.annotation.cameras:
        first = contents.annotation.cameras[0]
        rotations = {f"camera {first.name}": first.R_cam_world, "the opposite side": _opposite(first.R_cam_world)}
    else:
        rotations = {"+z": np.diag([1.0, -1.0, -1.0])}
    for place, rotation in rotations.items():
        sphere = image_element(lit_sphere(contents.light, rotation), f"sphere seen from {place}", quality=95)
        parts.append(figure(sphere, f"White sphere in this light, from {escape(place)}.", kind="sphere"))
    return f'<div class="row light">{"".join(parts)}</div>'


def lit_sphere(
    coefficients: Float[np.ndarray, "coefficient 3"], R_cam_world: Float[np.ndarray, "3 3"]
) -> UInt8[np.ndarray, "side side 4"]:
    """A white diffuse sphere seen along a camera's axis: radiance `sum_l A_l / pi sum_m c_lm y_lm(n)`."""
    axis = (np.arange(SPHERE_PX) + 0.5) / (SPHERE_PX / 2) - 1
    x, y = np.meshgrid(axis, axis)
    inside = x * x + y * y < 1
    normals_cam = np.stack([x, y, -np.sqrt(np.clip(1 - x * x - y * y, 0, None))], axis=-1)
    normals_cam /= np.linalg.norm(normals_cam, axis=-1, keepdims=True)
    order = int(np.sqrt(len(coefficients))) - 1
    factors = np.concatenate([np.full(2 * band + 1, DIFFUSE_BANDS[band]) for band in range(order + 1)])
    basis = sh_basis(torch.as_tensor(normals_cam @ R_cam_world), order).numpy()
    radiance = np.clip(basis @ (factors[:, None] * coefficients), 0, None)
    exposure = 1 / max(1.0, float(radiance[inside].max()))
    alpha = np.clip((1 - np.hypot(x, y)) * SPHERE_PX / 2, 0, 1)
    return np.dstack([srgb_bytes(radiance * exposure), np.rint(255 * alpha).astype(np.uint8)])


def colour_transforms(colours: Mapping[str, Float[np.ndarray, "3 4"]]) -> str:
    """What every camera makes of some colours, and its matrix."""
    if not colours:
        return ""
    plain = np.array(SWATCHES)
    rows = []
    for name, matrix in colours.items():
        seen = plain @ matrix[:, :3].T + matrix[:, 3]
        swatches = "".join(
            f'<i class="swatch" style="background:linear-gradient(90deg,{_css(a)} 50%,{_css(b)} 50%)"></i>'
            for a, b in zip(plain, seen, strict=True)
        )
        gain = " ".join(f"{matrix[k, k]:.2f}" for k in range(3))
        numbers = "\n".join("  ".join(f"{value:+.3f}" for value in row) for row in matrix)
        matrix_cell = f"<details><summary>{gain}</summary><pre>{numbers}</pre></details>"
        rows.append((escape(name), f'<span class="swatches">{swatches}</span>', matrix_cell))
    note = '<p class="small">Left halves: colours of a render. Right halves: what the camera makes of them.</p>'
    return note + table(("camera", "colours", "gain of R, G, B; whole matrix [M | b]"), rows)


def _hatched(marked: Bool[np.ndarray, "_ _"]) -> UInt8[np.ndarray, "height width 4"]:
    """Diagonal stripes where something is marked, transparent elsewhere."""
    size = (SEEN_PX, SEEN_PX)
    marked = cv2.resize(marked.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    row, column = np.indices(size)
    strength = np.where((row + column) % 8 < 3, 235, 60) * marked
    return np.dstack([np.broadcast_to(np.array(UNSEEN), (*size, 3)), strength]).astype(np.uint8)


def _share(unseen: np.ndarray, used: np.ndarray | None) -> str:
    total = unseen.size if used is None else max(1, np.count_nonzero(used))
    return f"{100 * np.count_nonzero(unseen) / total:.0f} %"


def _camera_marks(cameras: tuple[Camera, ...], centre_world: Float[np.ndarray, "3"]) -> str:
    """Dots over an environment map, 200 x 100 units large."""
    marks = []
    for camera in cameras:
        x, y, z = (camera.center_world - centre_world) / np.linalg.norm(camera.center_world - centre_world)
        column = (np.arctan2(x, -z) / (2 * np.pi)) % 1 * 200
        row = np.arccos(np.clip(y, -1, 1)) / np.pi * 100
        marks.append(
            f'<circle cx="{column:.1f}" cy="{row:.1f}" r="1.8"><title>{escape(camera.name)}</title></circle>'
        )
    return f'<svg class="marks" viewBox="0 0 200 100" role="img" aria-label="cameras">{"".join(marks)}</svg>'


def _opposite(R_cam_world: np.ndarray) -> np.ndarray:
    return R_cam_world * np.array([[-1.0], [1.0], [-1.0]])


def _css(linear: np.ndarray) -> str:
    red, green, blue = srgb_bytes(linear)
    return f"rgb({red} {green} {blue})"

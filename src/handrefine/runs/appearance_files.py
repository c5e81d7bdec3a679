"""What a run found beside the hand's motion, as files: textures, light, and the cameras' colours and weights.

Every writer stands beside its reader; readers raise `InputError` that names the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from handrefine.colour import srgb8_to_linear
from handrefine.errors import InputError
from handrefine.io.exr import write_exr
from handrefine.io.files import write_json
from handrefine.io.image_files import read_image, srgb_bytes, write_image
from handrefine.io.text_files import read_json
from handrefine.runs.layout import RunLayout
from handrefine.runs.result import CameraResult, MendedCamera
from handrefine.sequence import Camera
from handrefine.spherical import coefficient_count

ENVIRONMENT_LAYOUT = (
    "environment.exr holds linear RGB radiance. Its texel (row r, column c) of h x w looks in the world direction "
    "(sin th sin ph, cos th, -sin th cos ph) with th = pi (r + 1/2) / h and ph = 2 pi (c + 1/2) / w."
)
HARMONICS = (
    "coefficients[l^2 + l + m] is the linear RGB factor of the real orthonormal spherical harmonic of band l, "
    "m = -l ... l, with polar axis z and Condon-Shortley sign. environment.exr is their sum, clipped at zero."
)
COLOUR = (
    "Every camera's 3 x 4 matrix is [M | b]: image = M @ render + coverage * b in linear RGB, for a render over "
    "black. The mean over the cameras is the identity."
)


def write_texture(path: Path, texture: Float[np.ndarray, "height width 3"]) -> None:
    """Write a linear RGB reflectance as an 8-bit sRGB image; its row 0 is the top row (v = 1)."""
    write_image(path, srgb_bytes(texture))


def read_texture(path: Path) -> Float[np.ndarray, "height width 3"]:
    """Inverse of `write_texture`, up to its 8 bits."""
    return srgb8_to_linear(read_image(path))


def write_seen_texels(path: Path, seen: Bool[np.ndarray, "size size"]) -> None:
    """Write white where a camera saw the texture, else black."""
    write_image(path, np.repeat(seen[..., None], 3, axis=-1).astype(np.uint8) * 255)


def read_seen_texels(path: Path) -> Bool[np.ndarray, "size size"]:
    return read_image(path)[..., 0] > 127


def write_environment(
    layout: RunLayout, environment: Float[np.ndarray, "height width 3"], coefficients: Float[np.ndarray, "_ 3"]
) -> None:
    """Write the light as float32 radiance (EXR) and as the coefficients that it was baked from (JSON).

    Call it after `start_mitsuba`, because Mitsuba writes the EXR.
    """
    write_exr(layout.environment, environment)
    description = {
        "order": round(np.sqrt(len(coefficients))) - 1,
        "coefficients": coefficients,
        "harmonics": HARMONICS,
        "layout": ENVIRONMENT_LAYOUT,
    }
    write_json(layout.light, description)


def read_light(path: Path) -> Float[np.ndarray, "coefficient 3"]:
    """The coefficients of the light."""
    stored = read_json(path)
    try:
        coefficients = np.array(stored["coefficients"], dtype=np.float32)
        if coefficients.shape != (coefficient_count(int(stored["order"])), 3):
            raise ValueError(f"{coefficients.shape} coefficients do not belong to order {stored['order']}")
        if not np.isfinite(coefficients).all():
            raise ValueError("a coefficient is not finite")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError("the run's light is broken", where=path, found=error) from error
    return coefficients


def write_colour_transforms(path: Path, names: Sequence[str], transforms: Float[np.ndarray, "camera 3 4"]) -> None:
    """Write every camera's affine colour transform, from the render to its image, in linear RGB."""
    write_json(path, {"convention": COLOUR, "cameras": dict(zip(names, transforms, strict=True))})


def read_colour_transforms(path: Path) -> dict[str, Float[np.ndarray, "3 4"]]:
    """[M | b] of every camera by its name."""
    stored = read_json(path)
    try:
        matrices = {str(name): np.array(matrix, dtype=float) for name, matrix in stored["cameras"].items()}
        if any(matrix.shape != (3, 4) for matrix in matrices.values()):
            raise ValueError("a colour transform is not a 3 x 4 matrix")
        if not all(np.isfinite(matrix).all() for matrix in matrices.values()):
            raise ValueError("a colour transform is not finite")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError("the run's colour transforms are broken", where=path, found=error) from error
    return matrices


def write_camera_weights(path: Path, cameras: Sequence[CameraResult]) -> None:
    """Write how far each camera was believed, and what was changed of its calibration."""
    entries = [
        {
            "camera": of.camera.name,
            "weight": of.weight,
            "agreement": of.agreement,
            "visible_share": of.visible_share,
            "reason": of.reason,
            **({} if of.rotation_cam_mrad is None else {"rotation_cam_mrad": of.rotation_cam_mrad}),
            **({} if of.picture_scale is None else {"picture_scale": of.picture_scale}),
            **({} if of.mended is None else {"mended": asdict(of.mended)}),
        }
        for of in cameras
    ]
    write_json(path, entries)


def camera_result(
    camera: Camera, entry: Mapping[str, Any], colour_transform: Float[np.ndarray, "3 4"]
) -> CameraResult:
    """One camera, given its entry of the file above.

    Raises:
        KeyError, TypeError, ValueError: the entry lacks something or is broken.
    """
    turned, scale, mended = (entry.get(name) for name in ("rotation_cam_mrad", "picture_scale", "mended"))
    return CameraResult(
        camera=camera,
        weight=float(entry["weight"]),
        agreement=float(entry["agreement"]),
        visible_share=float(entry["visible_share"]),
        reason=entry.get("reason"),
        colour_transform=colour_transform,
        rotation_cam_mrad=None if turned is None else np.array(turned, dtype=np.float32),
        picture_scale=None if scale is None else float(scale),
        mended=None if mended is None else MendedCamera(**mended),
    )


def read_camera_weights(path: Path) -> list[Mapping[str, Any]]:
    """The entries of every camera."""
    stored = read_json(path)
    if not isinstance(stored, list) or not all(isinstance(entry, Mapping) for entry in stored):
        raise InputError("the cameras' weights are broken", where=path, expected="a list of mappings")
    return stored

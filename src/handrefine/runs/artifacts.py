"""What a run found beside the hand's motion: its texture, the light, and the cameras' colours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handrefine.files import whole_file, write_json
from handrefine.image_files import srgb_bytes, write_picture

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
    """Write a linear RGB reflectance as an 8-bit sRGB picture; its row 0 is the top row (v = 1)."""
    write_picture(path, srgb_bytes(texture))


def write_environment(
    folder: Path,
    environment: Float[np.ndarray, "height width 3"],
    coefficients: Float[np.ndarray, "coefficient 3"],
    order: int,
) -> None:
    """Write `environment.exr` (float32 radiance) and `environment.json` (the coefficients that it was baked from).

    Call it after `start_mitsuba`, because Mitsuba writes the EXR.
    """
    import mitsuba as mi

    with whole_file(folder / "environment.exr") as temporary:
        mi.Bitmap(np.ascontiguousarray(environment, dtype=np.float32)).write(str(temporary))
    description = {
        "order": order,
        "coefficients": coefficients,
        "harmonics": HARMONICS,
        "layout": ENVIRONMENT_LAYOUT,
    }
    write_json(folder / "environment.json", description)


def write_colour_transforms(path: Path, names: Sequence[str], transforms: Float[np.ndarray, "camera 3 4"]) -> None:
    """Write every camera's affine colour transform, from the render to its image, in linear RGB."""
    write_json(path, {"convention": COLOUR, "cameras": dict(zip(names, transforms, strict=True))})

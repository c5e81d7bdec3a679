"""sRGB to linear light and back (IEC 61966-2-1); images are linear everywhere inside handrefine."""

import numpy as np
from jaxtyping import Float, UInt8


def srgb_to_linear(srgb: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear light in [0, 1] from sRGB values in [0, 1]; the precision of the input is kept."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4).astype(
        srgb.dtype
    )


def linear_to_srgb(linear: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Inverse of `srgb_to_linear`; values outside [0, 1] are clipped first."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(
        clipped <= 0.0031308, clipped * 12.92, 1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055
    ).astype(linear.dtype)


def srgb8_to_linear(pixels: UInt8[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear float32 from 8-bit sRGB, by table: an image has more pixels than there are values."""
    return srgb_to_linear(np.arange(256, dtype=np.float32) / 255)[pixels]


def linear_to_srgb8(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """8-bit sRGB, rounded to the nearest value."""
    return np.rint(linear_to_srgb(linear) * 255).astype(np.uint8)

"""Images of a camera with a lens as the pinhole camera of the same focal lengths would have taken them."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from handrefine.capture.calibration.rig_camera import RigCamera
from handrefine.colour import linear_to_srgb8, srgb8_to_linear


class Undistortion:
    """Resamples images of one camera; what the lens never saw is black. Without a lens nothing is changed.

    camera: of the images that it gives.
    """

    def __init__(self, camera: RigCamera, size: tuple[int, int], *, keep_lens: bool = False) -> None:
        """
        Args:
            keep_lens: images stay as they are and the camera keeps its lens; skew is taken out all the same, by
                moving pixels along their rows.
        """
        self.camera = camera.pinhole(*size)
        skewed = abs(camera.K[0, 1]) > 1e-9
        self._map: np.ndarray | None = None
        if keep_lens:
            self.camera = replace(self.camera, lens=camera.lens)
            camera = replace(camera, lens=None)
        if camera.lens is None and not skewed:
            return
        width, height = size
        u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = np.stack([(u - self.camera.cx) / self.camera.fx, (v - self.camera.cy) / self.camera.fy], axis=-1)
        seen = np.ones((height, width), dtype=bool)
        if camera.lens is not None:
            seen = camera.lens.sees(torch.as_tensor(rays)).numpy()
        source = camera.pixels(rays) - 0.5  # OpenCV's remap counts from the centre of the first pixel
        self._map = np.where(seen[..., None], source, -2.0 * max(size)).astype(np.float32)

    @property
    def changes(self) -> bool:
        return self._map is not None

    def __call__(self, image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """The means are those of light: of sRGB's numbers they would be too dark, and contours move inwards."""
        if self._map is None:
            return image
        return linear_to_srgb8(self._resampled(srgb8_to_linear(image), cv2.INTER_LINEAR))

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask of 0 and 255, by its nearest values."""
        return self._resampled(mask, cv2.INTER_NEAREST)

    def _resampled(self, image: Any, how: int) -> np.ndarray:
        if self._map is None:
            return image
        return cv2.remap(image, self._map, None, how, borderMode=cv2.BORDER_CONSTANT)  # pyright: ignore

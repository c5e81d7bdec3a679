"""The detections term: joints project to where a detector of 2D joints has found them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from pydantic import ConfigDict, NonNegativeFloat, PositiveFloat
from pydantic import dataclasses as typed
from torch import Tensor

from handrefine.camera import Camera
from handrefine.losses.base import Iterate, Residuals, Setup
from handrefine.observations import CropWindow
from handrefine.scene.variables import GEOMETRY_NAMES


@typed.dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DetectionsConfig:
    """Joints against detections in 2D, for images that are hard (ours; in no preset)."""

    weight: NonNegativeFloat = 0.01
    """Weight in the objective."""
    scale: PositiveFloat = 0.006
    """Distance, as a share of the focal length, beyond which a detection counts ever less: 6 px at 1000 px."""

    def build(self, setup: Setup) -> "DetectionsTerm | None":
        seen = setup.observations
        found = [
            _View(view.frame, view.camera, hand, torch.as_tensor(_in_window(of[key], window)).float())
            for key, view, window in zip(seen.keys, seen.views.views, seen.windows, strict=True)
            for hand, of in enumerate(setup.detections)
            if key in of and np.isfinite(of[key][:, :2]).any()
        ]
        return DetectionsTerm(found, self.scale) if found else None


@dataclass(frozen=True, eq=False)
class _View:
    """What was detected of one hand in one view: x, y in pixels of its window, and confidence."""

    frame: int
    camera: Camera
    hand: int
    found: Float[Tensor, "21 3"]


class DetectionsTerm:
    """`sum c rho(|p - u| / (f scale)) / sum c` over views, hands and joints, `rho(d) = d^2 / (1 + d^2)`.

    p is where a joint projects to, u where it was detected, c the confidence and f the focal length. rho is that
    of Geman and McClure: a joint that was found at another finger pulls hardly at all.
    """

    reads = GEOMETRY_NAMES
    judges_frames = False

    def __init__(self, views: Sequence[_View], scale: float) -> None:
        self._views, self._scale = views, scale

    def residuals(self, iterate: Iterate) -> list[Residuals]:
        """A block: a residual a joint and view."""
        joints = [
            hand.over_video(geometry).joints_world
            for hand, geometry in zip(iterate.model.hands, iterate.prediction.geometries, strict=True)
        ]
        rows, weights = [], []
        for view in self._views:
            found = view.found.to(joints[view.hand])
            focal = found.new_tensor([view.camera.fx, view.camera.fy])
            offset = (view.camera.project(joints[view.hand][view.frame]) - found[:, :2]) / (self._scale * focal)
            known = torch.isfinite(offset).all(dim=1)
            rows.append(torch.where(known[:, None], offset, 0.0))
            weights.append(torch.where(known, found[:, 2], 0.0))
        weight = torch.cat(weights)
        return [Residuals(torch.cat(rows), bounded, weight, weight)]


def bounded(difference: Float[Tensor, "residual channel"]) -> Float[Tensor, " residual"]:
    """`d^2 / (1 + d^2)`."""
    squared = difference.square().sum(dim=1)
    return squared / (1 + squared)


def _in_window(found: Float[np.ndarray, "21 3"], window: CropWindow) -> Float[np.ndarray, "21 3"]:
    """Pixels of the full image as those of a view's window."""
    corner = np.array([window.x0_px, window.y0_px])
    size = np.array([window.x1_px - window.x0_px, window.y1_px - window.y0_px])
    scale = np.array([window.camera.width, window.camera.height]) / size
    return np.concatenate([(found[:, :2] - corner) * scale, found[:, 2:]], axis=1)

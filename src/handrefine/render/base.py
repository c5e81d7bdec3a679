"""What every renderer takes and gives: hands, views, one environment map in; pixels of all views out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from handrefine.mesh import MeshTopology
from handrefine.sequence import Camera

Shading = Literal["radiance", "albedo"]


@dataclass(frozen=True, eq=False)
class View:
    """What camera `camera` sees of frame `frame`; the camera may be a crop window of a larger one."""

    frame: int
    camera: Camera


@dataclass(frozen=True, eq=False)
class ViewSet:
    """Views whose pixels stand one after the other, row by row, in a single flat buffer."""

    views: tuple[View, ...]

    def __len__(self) -> int:
        return len(self.views)

    @cached_property
    def sizes(self) -> Int[np.ndarray, " view"]:
        return np.array([v.camera.width * v.camera.height for v in self.views], dtype=np.int64)

    @cached_property
    def offsets(self) -> Int[np.ndarray, " view"]:
        """Index of each view's first pixel in the flat buffer."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)

    @property
    def n_pixels(self) -> int:
        return int(self.sizes.sum())

    @property
    def n_frames(self) -> int:
        """One more than the largest frame index."""
        return 1 + max(v.frame for v in self.views)

    def view_of_pixel(self, device: torch.device | None = None) -> Int[Tensor, " pixel"]:
        return torch.repeat_interleave(
            torch.arange(len(self), device=device), torch.as_tensor(self.sizes, device=device)
        )

    def split(self, pixels: Shaped[Tensor, "pixel *channel"]) -> list[Tensor]:
        """The flat buffer as one (height, width, ...) image a view."""
        parts = pixels.split(self.sizes.tolist())
        return [
            part.reshape(v.camera.height, v.camera.width, *part.shape[1:])
            for part, v in zip(parts, self.views, strict=True)
        ]

    def flatten(self, images: Sequence[Tensor]) -> Tensor:
        """Inverse of `split`."""
        return torch.cat([image.flatten(0, 1) for image in images])


@dataclass(frozen=True, eq=False)
class HandSurface:
    """One hand at F frames.

    verts_world: vertices in metres, unsplit (one a mesh vertex).
    texture: linear RGB reflectance, row 0 at the *top* of the image (v = 1). One for all frames, or one each.
    """

    verts_world: Float[Tensor, "frame vertex 3"]
    texture: Float[Tensor, "texture_frame height width 3"]


@dataclass(frozen=True, eq=False)
class Rendering:
    """Pixels of all views, in the view set's flat order; differentiable.

    rgb: linear radiance (or albedo), composited over the background by coverage.
    coverage: share of the pixel that each hand covers, nearest surface first.
    """

    rgb: Float[Tensor, "pixel 3"]
    coverage: Float[Tensor, "pixel hand"]


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """How an image is traced.

    depth: longest path in Mitsuba's counting; 2 = direct light with shadows, 3 = one inter-reflection.
    edge_samples_per_px: silhouette samples a pixel of contour (batched renderer only).
    redner: how Redner samples, see `handrefine.render.redner.adapter.RednerRenderer` (Redner only).
    """

    shading: Shading = "radiance"
    spp: int = 4
    depth: int = 3
    edge_samples_per_px: float = 2.0
    memory_gib: float = 4.0
    redner: Literal["stock", "fixed"] = "fixed"


@runtime_checkable
class Renderer(Protocol):
    """Renders hands of fixed topology into a fixed set of views."""

    topologies: tuple[MeshTopology, ...]
    views: ViewSet

    def render(
        self,
        hands: Sequence[HandSurface],
        environment: Float[Tensor, "height width 3"],
        *,
        seed: int,
        background: Float[Tensor, "pixel 3"] | None = None,
    ) -> Rendering:
        """Render all views.

        Args:
            hands: one surface a topology, all with the same number of frames.
            environment: radiance from every direction, in the layout of `handrefine.spherical`; never negative.
                It lights the hands but is not seen by the camera. Ignored by albedo shading.
            seed: same seed, same image. The image and its gradient draw different random numbers.
            background: linear RGB behind the hands, one a pixel; black when missing.

        Gradients reach vertices (visible silhouettes included), textures, environment and background.
        Not differentiable: the motion of shadow edges, unless a renderer says otherwise.
        """
        ...


@runtime_checkable
class RendererFactory(Protocol):
    """Makes a renderer for one job."""

    def __call__(
        self, topologies: Sequence[MeshTopology], views: ViewSet, settings: RenderSettings
    ) -> Renderer: ...

"""What every renderer takes and gives: hands, views, one environment map in; pixels of all views out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol, runtime_checkable

from annotated_types import Ge
from jaxtyping import Float, Int
from pydantic import ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor
from tyro.conf import arg

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology
from handrefine.sequence import Camera
from handrefine.views import ViewSet

Shading = Literal["radiance", "albedo"]
Variant = Literal["auto", "llvm_ad_rgb", "cuda_ad_rgb"]


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

    rgb: linear radiance (or albedo), over black.
    coverage: share of the pixel that each hand covers, nearest surface first.
    """

    rgb: Float[Tensor, "pixel 3"]
    coverage: Float[Tensor, "pixel hand"]


@config_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RenderConfig:
    """How images are rendered. The field docstrings are the command line's help."""

    backend: Annotated[str, arg(aliases=("--backend",))] = "batched"
    """batched: all views in one kernel. reference: Mitsuba's own integrators, one view at a time, slow.
    redner: the original method's renderer in a process of its own, slow (`handrefine doctor --redner`).
    Installed packages may bring others."""
    redner: Literal["stock", "fixed"] = "fixed"
    """Redner only. stock: as published, too dark in uneven light. fixed: right, without shadow edges' gradient."""
    variant: Variant = "auto"
    """Mitsuba variant; auto takes CUDA where a device works."""
    shading: Shading = "radiance"
    """radiance: path-traced light and shadow (DMVR). albedo: the texture seen at the first hit (SMVR)."""
    spp: PositiveInt = 4
    """Samples per pixel."""
    depth: Annotated[int, Ge(2)] = 3
    """Longest light path: 2 is direct light with shadows, 3 adds one inter-reflection."""
    edge_samples_per_px: PositiveFloat = 2.0
    """Silhouette samples per pixel of contour (batched only)."""
    shadow_samples: NonNegativeInt = 0
    """Lines a view that graze edges of the hands, for the gradient of moving shadows (batched only); secondary
    rays then start on the smooth surface. 0: neither, and in the gradient shadow edges stand still."""
    things: bool = True
    """Things in or beside the hand whose meshes and poses are given stand in the scene, keep light from the hands
    and reflect some (batched only)."""
    memory_gib: PositiveFloat = 4.0
    """Memory that one chunk of views may take (batched only)."""


#: Samples a pixel of renders that people look at and that are measured.
FINAL_SPP = 32
#: Their random numbers: never those of an iteration.
FINAL_SEED = 2**31 - 1


def final(config: RenderConfig) -> RenderConfig:
    """For renders that are looked at and measured."""
    return replace(config, spp=max(FINAL_SPP, config.spp))


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
    ) -> Rendering:
        """Render all views.

        Args:
            hands: one surface a topology, all with the same number of frames.
            environment: radiance from every direction, in the layout of `handrefine.spherical`; never negative.
                It lights the hands but is not seen by the camera. Ignored by albedo shading.
            seed: same seed, same image. The image and its gradient draw different random numbers.

        Gradients reach vertices (visible silhouettes included), textures and environment.
        Not differentiable: the motion of shadow edges, unless a renderer says otherwise.
        """
        ...


@dataclass(frozen=True, eq=False)
class FirstHits:
    """What the rays through the centres of all views' pixels meet first; not differentiable.

    face: triangle among those of all hands, one hand after the other; -1 where a ray meets nothing.
    barycentric: weights of the triangle's corners; of no meaning where nothing is met.
    """

    face: Int[Tensor, " pixel"]
    barycentric: Float[Tensor, "pixel 3"]


@runtime_checkable
class TellsFirstHits(Protocol):
    """A renderer that can be asked which material point each pixel shows."""

    def first_hits(self, verts_world: Sequence[Float[Tensor, "frame _ 3"]]) -> FirstHits:
        """One ray a pixel, through its centre; hands as in `Renderer.render`. Free of a new tree where the hands
        are those of the last image."""
        ...


def refuse_lenses(cameras: Iterable[Camera], who: str) -> None:
    """Raises InputError where a camera has a lens: for renderers that know pinholes only."""
    if bent := sorted({camera.name for camera in cameras if camera.lens is not None}):
        raise InputError(
            f"{who} knows no lens distortion",
            where=f"camera {bent[0]}",
            fix="take --render.backend batched, or undistorted images: import without --keep-distorted",
        )


def check_hands(hands: Sequence[HandSurface], topologies: Sequence[MeshTopology], views: ViewSet) -> None:
    """Raises ValueError unless there is one hand a topology, of its vertices and with the views' frames."""
    if len(hands) != len(topologies):
        raise ValueError(f"{len(topologies)} topologies but {len(hands)} hands")
    n_frames = len(hands[0].verts_world)
    if n_frames < views.n_frames:
        raise ValueError(f"the views need {views.n_frames} frames, {n_frames} given")
    for hand, topology in zip(hands, topologies, strict=True):
        n_vertices = hand.verts_world.shape[1]
        if n_vertices != topology.n_vertices:
            raise ValueError(f"{topology.n_vertices} vertices in the topology, {n_vertices} given")
        if len(hand.verts_world) != n_frames or len(hand.texture) not in (1, n_frames):
            raise ValueError("hands need the same number of frames, and one texture or one a frame")

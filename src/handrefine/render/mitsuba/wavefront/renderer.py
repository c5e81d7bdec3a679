"""The fast renderer behind the common protocol: checks, autograd, chunks."""

from collections.abc import Sequence

import drjit as dr
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, Rendering, RenderSettings, ViewSet
from handrefine.render.mitsuba.wavefront.instants import Cells, arrange
from handrefine.render.mitsuba.wavefront.light import low_order
from handrefine.render.mitsuba.wavefront.sensor import to_drjit
from handrefine.render.mitsuba.wavefront.wavefront import Inputs, Wavefront, to_torch


class WavefrontRenderer:
    """Renders hands of fixed topology into a fixed set of views; see `handrefine.render.base.Renderer`."""

    def __init__(self, topologies: Sequence[MeshTopology], views: ViewSet, settings: RenderSettings) -> None:
        self.topologies = tuple(topologies)
        self.views = views
        self.settings = settings
        self._wavefront: Wavefront | None = None

    def render(
        self,
        hands: Sequence[HandSurface],
        environment: Float[Tensor, "height width 3"],
        *,
        seed: int,
        background: Float[Tensor, "pixel 3"] | None = None,
    ) -> Rendering:
        """See `handrefine.render.base.Renderer.render`."""
        if self._wavefront is None:
            self._wavefront = Wavefront(self.topologies, self.views, self.settings, environment.device)
        verts = torch.cat([hand.verts_world for hand in hands], dim=1)[: self.views.n_frames]
        normals = [vertex_normals(h.verts_world, t) for h, t in zip(hands, self.topologies, strict=True)]
        normals = torch.cat(normals, dim=1)[: self.views.n_frames]
        textures = [hand.texture for hand in hands]
        texels = torch.cat([texture.reshape(-1) for texture in textures])
        cells = arrange(verts)
        scene = _Scene(self._wavefront, cells, tuple((len(t), t.shape[1], t.shape[2]) for t in textures), seed)
        pixels: Tensor = _Trace.apply(
            scene, cells.to_scene(verts), normals, texels, environment, low_order(environment)
        )  # pyright: ignore[reportAssignmentType]
        rgb, coverage = pixels[:, :3], pixels[:, 3:]
        if background is not None:
            rgb = rgb + (1 - coverage.sum(-1, keepdim=True)) * background
        return Rendering(rgb=rgb, coverage=coverage)


class _Scene:
    """What `_Trace` needs beside tensors."""

    def __init__(self, wavefront: Wavefront, cells: Cells, sizes: tuple[tuple[int, int, int], ...], seed: int) -> None:
        self.wavefront, self.cells, self.sizes, self.seed = wavefront, cells, sizes, seed
        self.inputs: Inputs | None = None


class _Trace(torch.autograd.Function):
    """Pixels of one wavefront, and their gradient with random numbers of its own.

    An L2 loss squares the picture's noise; were the gradient drawn from the same numbers, it would be biased.
    """

    @staticmethod
    def forward(ctx, scene: _Scene, *tensors: Tensor) -> Tensor:
        scene.inputs = Inputs(*(t.detach() for t in tensors))
        ctx.scene = scene
        scene.wavefront.load(scene.inputs, scene.cells, scene.sizes, [False] * len(tensors))
        return scene.wavefront.picture(2 * scene.seed)

    @staticmethod
    def backward(ctx, grad_pixels: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        scene, wanted = ctx.scene, ctx.needs_input_grad[1:]
        wavefront, seed = scene.wavefront, 2 * scene.seed + 1
        arrays = wavefront.load(scene.inputs, scene.cells, scene.sizes, wanted)
        gradient = to_drjit(grad_pixels)
        wavefront.backpropagate_shading(seed, gradient)
        if wanted[0]:
            wavefront.backpropagate_silhouettes(seed, arrays[0], gradient)
        grads = [dr.grad(a) if w else None for a, w in zip(arrays, wanted, strict=True)]
        dr.eval(*[g for g in grads if g is not None])
        shapes = [x.shape for x in scene.inputs.flat()]
        return None, *(None if g is None else to_torch(g).reshape(s) for g, s in zip(grads, shapes, strict=True))

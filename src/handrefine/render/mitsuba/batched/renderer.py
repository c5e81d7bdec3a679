"""The fast renderer behind the common protocol: checks, chunks, autograd."""

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Rendering, check_hands
from handrefine.render.mitsuba.batched.cells import Cells, arrange
from handrefine.render.mitsuba.batched.chunks import chunks
from handrefine.render.mitsuba.batched.environment_light import low_order
from handrefine.render.mitsuba.batched.multiview_sensor import to_drjit
from handrefine.render.mitsuba.batched.tracer import Inputs, Tracer, to_torch
from handrefine.views import ViewSet


class BatchedRenderer:
    """Renders hands of fixed topology into a fixed set of views; see `handrefine.render.base.Renderer`.

    All pixels of all views of all frames are traced by one kernel, or by one a chunk where they would not fit
    into `config.memory_gib`. Same seed, same image, whatever the chunks; only the silhouettes' gradient then
    draws other samples. The image and its gradient never share random numbers.

    Differentiable in vertices (silhouettes, borders of the mesh and seams of the atlas included), textures,
    environment. Not differentiable: the motion of shadow edges (see docs/renderer.md for the size
    of that bias), and the environment's reflection in anything, since hands are Lambertian here.

    Interiors seen through the open wrist look like the outside (two-sided by the triangle, not by the shading
    normal, so that no shading normal turns over inside a visible surface).
    """

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        *,
        beside: Renderer | None = None,
    ) -> None:
        del beside  # there is nothing to share
        if not topologies:
            raise ValueError("a renderer needs at least one hand")
        self.topologies = tuple(topologies)
        self.views = views
        self.config = config
        self._chunks = chunks(views, topologies, config.memory_gib)
        self._tracers = [Tracer(self.topologies, chunk.views, config, chunk.first_pixel) for chunk in self._chunks]

    def render(
        self,
        hands: Sequence[HandSurface],
        environment: Float[Tensor, "height width 3"],
        *,
        seed: int,
    ) -> Rendering:
        """See `handrefine.render.base.Renderer.render`.

        Raises:
            ValueError: hands or frames do not fit the topologies and views of this renderer.
        """
        check_hands(hands, self.topologies, self.views)
        verts = torch.cat([hand.verts_world for hand in hands], dim=1)
        normals = [vertex_normals(h.verts_world, t) for h, t in zip(hands, self.topologies, strict=True)]
        shared = _Shared(
            verts,
            torch.cat(normals, dim=1),
            tuple(hand.texture for hand in hands),
            environment,
            low_order(environment),
        )
        parts = [
            shared.trace(tracer, chunk.frames, seed)
            for tracer, chunk in zip(self._tracers, self._chunks, strict=True)
        ]
        pixels = parts[0] if len(parts) == 1 else torch.cat(parts)
        rgb, coverage = pixels[:, :3], pixels[:, 3:]
        return Rendering(rgb=rgb, coverage=coverage)


@dataclass(frozen=True, eq=False)
class _Shared:
    """Attached tensors of all frames, of which every chunk takes its own."""

    verts_world: Tensor
    normals: Tensor
    textures: tuple[Tensor, ...]
    environment: Tensor
    coefficients: Tensor

    def trace(self, tracer: Tracer, frames: tuple[int, ...], seed: int) -> Tensor:
        everything = frames == tuple(range(len(self.verts_world)))
        at = lambda x: x if everything or len(x) == 1 else x[list(frames)]  # noqa: E731
        verts, normals = at(self.verts_world), at(self.normals)
        textures = [at(texture) for texture in self.textures]
        cells = arrange(verts)
        scene = _Scene(tracer, cells, tuple((len(t), t.shape[1], t.shape[2]) for t in textures), seed)
        texels = torch.cat([t.reshape(-1) for t in textures]) if len(textures) > 1 else textures[0].reshape(-1)
        return _Trace.apply(scene, cells.to_scene(verts), normals, texels, self.environment, self.coefficients)  # pyright: ignore[reportReturnType]


@dataclass(eq=False)
class _Scene:
    """What `_Trace` needs beside tensors."""

    tracer: Tracer
    cells: Cells
    texture_sizes: tuple[tuple[int, int, int], ...]
    seed: int


class _Trace(torch.autograd.Function):
    """Pixels of one chunk, and their gradient with random numbers of its own.

    An L2 loss multiplies the image with its gradient: drawn from the same numbers, their noise would correlate
    and bias the loss's gradient. Not `drjit.wrap`, which would replay the image's numbers and store its graph.
    """

    @staticmethod
    def forward(ctx, scene: _Scene, *tensors: Tensor) -> Tensor:
        ctx.scene = scene
        ctx.save_for_backward(*tensors)
        scene.tracer.load(
            scene, Inputs(*(t.detach() for t in tensors)), scene.cells, scene.texture_sizes, [False] * len(tensors)
        )
        return scene.tracer.image(2 * scene.seed)

    @staticmethod
    def backward(ctx, grad_pixels: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        scene, wanted = ctx.scene, ctx.needs_input_grad[1:]
        tracer, seed = scene.tracer, 2 * scene.seed + 1
        inputs = Inputs(*(t.detach() for t in ctx.saved_tensors))
        arrays = tracer.load(scene, inputs, scene.cells, scene.texture_sizes, wanted)
        gradient = [to_drjit(channel) for channel in grad_pixels.unbind(-1)]
        tracer.backpropagate_shading(seed, gradient)
        if wanted[0]:
            tracer.backpropagate_silhouettes(seed, arrays.vertices, gradient)
        grads = arrays.gradients(wanted)
        dr.eval(*[g for g in grads if g is not None])
        tracer.release()
        shapes = [x.shape for x in inputs.flat()]
        return None, *(None if g is None else to_torch(g).reshape(s) for g, s in zip(grads, shapes, strict=True))

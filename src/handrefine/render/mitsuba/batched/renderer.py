"""The fast renderer behind the common protocol: what PyTorch prepares for every chunk, and their joined image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import FirstHits, HandSurface, RenderConfig, Renderer, Rendering, check_hands
from handrefine.render.mitsuba import bridge
from handrefine.render.mitsuba.batched.cells import arrange
from handrefine.render.mitsuba.batched.chunks import chunks
from handrefine.render.mitsuba.batched.first_hits import first_hits
from handrefine.render.mitsuba.batched.low_order_light import low_order
from handrefine.render.mitsuba.batched.tracer import TracedImage, Tracer
from handrefine.render.mitsuba.batched.view_table import ViewTable
from handrefine.render.thing_surfaces import ThingSurfaces
from handrefine.views import ViewSet


class BatchedRenderer:
    """Renders hands of fixed topology into a fixed set of views; see `handrefine.render.base.Renderer`.

    All pixels of all views of all frames are traced by one kernel, or by one a chunk where they would not fit
    into `config.memory_gib`. Same seed, same image, whatever the chunks; only the gradient of silhouettes and
    shadow edges then draws other samples. The image and its gradient never share random numbers.

    Differentiable in vertices (silhouettes, borders of the mesh and seams of the atlas included), textures and
    environment; with `config.shadow_samples` also in the motion of shadow edges (docs/renderer.md has the size of
    what is missing without them).
    Hands are Lambertian here, so nothing mirrors the environment.

    Interiors seen through the open wrist look like the outside (two-sided by the triangle, not by the shading
    normal, so that no shading normal turns over inside a visible surface).
    """

    KNOWS_THINGS = True

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        *,
        beside: Renderer | None = None,
        things: ThingSurfaces | None = None,
    ) -> None:
        del beside  # there is nothing to share
        if not topologies:
            raise ValueError("a renderer needs at least one hand")
        self.topologies = tuple(topologies)
        self.views = views
        self.config = config
        # An albedo knows no light that things could keep away.
        self._things = things if config.shading == "radiance" else None
        every = self.topologies if self._things is None else (*self.topologies, self._things.edges)
        self._chunks = chunks(views, every, config.memory_gib)
        self._tables = [ViewTable(chunk.views) for chunk in self._chunks]
        self._tracers = [
            Tracer(self.topologies, chunk.views, config, chunk.first_pixel, self._things) for chunk in self._chunks
        ]
        self._drawn: Tensor | None = None

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
        textures = [hand.texture for hand in hands]
        if (things := self._things) is not None:
            corners = things.beside(verts)
            verts = torch.cat([verts, corners], dim=1)
            normals.append(vertex_normals(corners, things.soup))
            textures.append(things.texture(verts))
        shared = _Surfaces(
            verts,
            torch.cat(normals, dim=1),
            tuple(textures),
            environment,
            low_order(environment),
        )
        parts = [
            _trace(shared.at(chunk.frames), table, tracer, seed)
            for chunk, table, tracer in zip(self._chunks, self._tables, self._tracers, strict=True)
        ]
        self._drawn = verts.detach()
        pixels = parts[0] if len(parts) == 1 else torch.cat(parts)
        rgb, coverage = pixels[:, :3], pixels[:, 3:]
        return Rendering(rgb=rgb, coverage=coverage)

    @torch.no_grad()
    def first_hits(self, verts_world: Sequence[Float[Tensor, "frame _ 3"]]) -> FirstHits:
        """See `handrefine.render.base.TellsFirstHits`."""
        verts = torch.cat(list(verts_world), dim=1).detach()
        if self._things is not None:
            verts = torch.cat([verts, self._things.beside(verts)], dim=1)
        moved = self._drawn is None or not torch.equal(verts, self._drawn)
        self._drawn = verts
        parts = [
            _first_hits(verts[list(chunk.frames)], table, tracer, moved=moved)
            for chunk, table, tracer in zip(self._chunks, self._tables, self._tracers, strict=True)
        ]
        return FirstHits(
            torch.cat([part[:, 0].long() for part in parts]), torch.cat([part[:, 1:] for part in parts])
        )


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """All hands at some frames, things beside them last, and the light, which is common to them; attached."""

    verts_world: Float[Tensor, "frame vertex 3"]
    normals: Float[Tensor, "frame vertex 3"]
    textures: tuple[Float[Tensor, "_frame _height _width 3"], ...]
    environment: Float[Tensor, "height width 3"]
    coefficients: Float[Tensor, "coefficient 3"]

    def at(self, frames: tuple[int, ...]) -> "_Surfaces":
        if frames == tuple(range(len(self.verts_world))):
            return self
        rows = list(frames)
        textures = tuple(x if len(x) == 1 else x[rows] for x in self.textures)
        return replace(self, verts_world=self.verts_world[rows], normals=self.normals[rows], textures=textures)


def _trace(surfaces: _Surfaces, table: ViewTable, tracer: Tracer, seed: int) -> Float[Tensor, "pixel channel"]:
    cells, texels = arrange(surfaces.verts_world), [x.reshape(-1) for x in surfaces.textures]
    inputs = {
        "vertices": cells.to_scene(surfaces.verts_world),
        "normals": surfaces.normals,
        "texels": texels[0] if len(texels) == 1 else torch.cat(texels),
        "environment": surfaces.environment,
        "coefficients": surfaces.coefficients,
        "cells": cells.centers_scene,
        "radius": cells.radius_m.reshape(1),
        "view_table": table.rows(cells),
    }
    image = TracedImage(tracer, tuple((len(x), x.shape[1], x.shape[2]) for x in surfaces.textures))
    # Of every pair of consecutive numbers one is for the image and one for its gradient.
    channels = bridge.render(image, inputs, seeds=[2 * seed], seeds_grad=[2 * seed + 1])
    return torch.stack(channels, dim=-1)


def _first_hits(
    verts_world: Float[Tensor, "frame vertex 3"], table: ViewTable, tracer: Tracer, *, moved: bool
) -> Float[Tensor, "pixel 4"]:
    cells = arrange(verts_world)
    inputs = {
        "vertices": cells.to_scene(verts_world),
        "radius": cells.radius_m.reshape(1),
        "view_table": table.rows(cells),
    }
    return torch.stack(bridge.compute(partial(first_hits, tracer, moved=moved), inputs), dim=-1)

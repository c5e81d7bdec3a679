"""The renderers by name."""

from collections.abc import Sequence
from typing import Literal

from handrefine.mesh import MeshTopology
from handrefine.render.base import Renderer, RenderSettings, ViewSet

Backend = Literal["batched", "reference", "redner"]


def create_renderer(
    backend: Backend,
    topologies: Sequence[MeshTopology],
    views: ViewSet,
    settings: RenderSettings,
    *,
    beside: Renderer | None = None,
) -> Renderer:
    """The renderer of that name for one job. Mitsuba's need a start before (`start_mitsuba`).

    beside: an earlier renderer of the same run, whose process Redner shares.
    """
    if backend == "redner":
        from handrefine.render.redner.adapter import RednerRenderer

        first = beside if isinstance(beside, RednerRenderer) else None
        return RednerRenderer(topologies, views, settings, beside=first)
    if backend == "batched":
        from handrefine.render.mitsuba.batched import BatchedRenderer

        return BatchedRenderer(topologies, views, settings)
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    return ReferenceRenderer(topologies, views, settings)

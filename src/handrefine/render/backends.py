"""The renderers by name."""

from collections.abc import Sequence
from typing import Literal

from handrefine.mesh import MeshTopology
from handrefine.render.base import Renderer, RenderSettings, ViewSet

Backend = Literal["wavefront", "reference", "redner"]


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
        from handrefine.render.redner.renderer import RednerRenderer

        first = beside if isinstance(beside, RednerRenderer) else None
        return RednerRenderer(topologies, views, settings, beside=first)
    if backend == "wavefront":
        from handrefine.render.mitsuba.wavefront import WavefrontRenderer

        return WavefrontRenderer(topologies, views, settings)
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    return ReferenceRenderer(topologies, views, settings)

"""The renderers by name: those below, and those that installed packages bring.

A package brings a renderer by an entry point of the group `handrefine.renderers`. Its name is the renderer's, and
it names a `RendererFactory`, most simply the renderer's class.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, runtime_checkable

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology
from handrefine.render.base import RenderConfig, Renderer
from handrefine.render.thing_surfaces import ThingSurfaces
from handrefine.views import ViewSet

ENTRY_POINTS = "handrefine.renderers"
#: Imported when asked for: Mitsuba must not be before its variant is chosen.
BUILT_IN = tuple(
    EntryPoint(name, value, ENTRY_POINTS)
    for name, value in (
        ("batched", "handrefine.render.mitsuba.batched:BatchedRenderer"),
        ("reference", "handrefine.render.mitsuba.reference:ReferenceRenderer"),
        ("redner", "handrefine.render.redner.adapter:RednerRenderer"),
    )
)


@runtime_checkable
class RendererFactory(Protocol):
    """Makes a renderer for one job; see `create_renderer` for the arguments.

    One whose `KNOWS_THINGS` is true also takes `things`.
    """

    def __call__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        *,
        beside: Renderer | None = None,
    ) -> Renderer: ...


def create_renderer(
    topologies: Sequence[MeshTopology],
    views: ViewSet,
    config: RenderConfig,
    *,
    beside: Renderer | None = None,
    things: ThingSurfaces | None = None,
) -> Renderer:
    """The renderer that `config.backend` names. Mitsuba's need a start before (`start_mitsuba`).

    Args:
        topologies: one a hand.
        beside: an earlier renderer of the same run, with which the new one may share what is costly to set up.
        things: what stands beside the hands; only for a renderer that `knows_things`.

    Raises:
        InputError: no renderer has that name or several have, it cannot be loaded, or it refuses the job.
    """
    factory = _factory(config.backend)
    more = {} if things is None else {"things": things}
    return factory(topologies, views, config, beside=beside, **more)


def knows_things(config: RenderConfig) -> bool:
    """Whether the renderer that `config.backend` names takes `things`.

    Raises:
        InputError: as `create_renderer`.
    """
    return bool(getattr(_factory(config.backend), "KNOWS_THINGS", False))


def _factory(name: str) -> RendererFactory:
    known = (*BUILT_IN, *entry_points(group=ENTRY_POINTS))
    found = [entry for entry in known if entry.name == name]
    if not found:
        raise InputError(
            f"there is no renderer {name!r}",
            where="render.backend",
            expected=", ".join(entry.name for entry in known),
            fix=f"install the package that brings it (entry point group {ENTRY_POINTS})",
        )
    where = "; ".join(f"entry point {entry.name} = {entry.value}" for entry in found)
    if len(found) > 1:
        raise InputError(f"{len(found)} renderers are called {name!r}", where=where)
    try:
        factory = found[0].load()
    except Exception as error:  # whatever a foreign module does when it is imported
        raise InputError(
            f"the renderer {name!r} cannot be loaded", where=where, found=f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(factory, RendererFactory):
        raise InputError(
            f"the renderer {name!r} is none",
            where=where,
            expected="a RendererFactory",
            found=type(factory).__name__,
        )
    return factory

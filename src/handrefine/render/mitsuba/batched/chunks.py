"""Cutting a job into chunks that fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from handrefine.mesh import MeshTopology
from handrefine.views import ViewSet

#: Measured on the CPU and rounded up. A pixel: image, its gradient and their copies. A view's edge: one flag
#: and its compacted index. A triangle: vertices, gradients and the ray tracer's tree.
BYTES_PER_PIXEL, BYTES_PER_VIEW_EDGE, BYTES_PER_TRIANGLE = 128, 16, 512


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive views of a job.

    views: the same cameras; their frames count the entries of `frames`.
    frames: the frames of the job that these views see.
    first_pixel: where their pixels start in the job's flat buffer.
    """

    views: ViewSet
    frames: tuple[int, ...]
    first_pixel: int


def chunks(views: ViewSet, topologies: Sequence[MeshTopology], memory_gib: float) -> list[Chunk]:
    """As few runs of consecutive views as fit into the budget each; a run has at least one view."""
    edges = sum(len(t.edges[0]) for t in topologies) * BYTES_PER_VIEW_EDGE
    triangles = sum(len(t.faces) for t in topologies) * BYTES_PER_TRIANGLE
    budget = memory_gib * 2**30
    runs: list[list[int]] = []
    frames: set[int] = set()
    used = float("inf")
    for index, size in enumerate(views.sizes):
        frame = views.views[index].frame
        own = int(size) * BYTES_PER_PIXEL + edges
        if used + own + (frame not in frames) * triangles > budget:
            runs.append([])
            frames, used = set(), 0.0
        used += own + (frame not in frames) * triangles
        frames.add(frame)
        runs[-1].append(index)
    return [_chunk(views, run) for run in runs]


def _chunk(views: ViewSet, run: list[int]) -> Chunk:
    frames = tuple(sorted({views.views[k].frame for k in run}))
    own = tuple(replace(views.views[k], frame=frames.index(views.views[k].frame)) for k in run)
    return Chunk(ViewSet(own), frames, int(views.offsets[run[0]]))

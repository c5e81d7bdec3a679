"""Silhouettes of all views at once: which edges they are, and points spread evenly along their projections."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology
from handrefine.render.mitsuba.batched.attached import Attached
from handrefine.render.mitsuba.batched.edge_table import EdgeTable
from handrefine.render.mitsuba.batched.multiview_sensor import NEAR_M, MultiViewSensor
from handrefine.render.mitsuba.batched.spread import spread


@dataclass
class Segment:
    """The visible part of an edge in one view: end points in the scene, and the kept stretch in pixels of the
    view's pinhole."""

    view: "mi.UInt32"
    a: "mi.Point3f"
    b: "mi.Point3f"
    start: "mi.Point2f"
    along: "mi.Vector2f"  # from `start` to the other end of the kept stretch
    shown: "mi.Bool"


class SilhouetteSampler:
    """Finds silhouette edges by the faces' orientation and spreads samples along them, uniform in pixels."""

    def __init__(self, topologies: Sequence[MeshTopology], sensor: MultiViewSensor, n_vertices: int) -> None:
        self.edges, self.sensor, self.n_vertices = EdgeTable.of(topologies), sensor, n_vertices
        self.n_views = len(sensor.views)

    def sample(self, vertices: "mi.Float", per_px: float, seed: "mi.UInt32") -> "EdgeSamples | None":
        """About `per_px` stratified points a pixel of silhouette of all views; None if no silhouette is in view.

        Two numbers travel to the host: how many silhouette edges there are, and how many samples.
        """
        vertices = dr.detach(vertices)
        pair = dr.arange(mi.UInt32, self.n_views * self.edges.count)
        candidates = dr.compress(self._is_silhouette(pair, vertices))
        if dr.width(candidates) == 0:
            return None
        segment = self._segment(candidates, vertices)
        length = dr.select(segment.shown, dr.norm(segment.along), 0)
        cumulative = dr.cumsum(mi.Float64(length))
        dr.eval(cumulative)
        total = float(cumulative[-1])
        n = int(np.ceil(total * per_px))
        if n == 0:
            return None
        found, rest = spread(cumulative, total, n, self.n_views * self.edges.count, seed)
        return self._points(dr.gather(mi.UInt32, candidates, found), rest, total / n, vertices)

    def _split(self, pair: "mi.UInt32") -> tuple["mi.UInt32", "mi.UInt32", "mi.UInt32"]:
        """View, edge, and the first vertex of the view's frame."""
        view = pair // self.edges.count
        return (
            view,
            pair - view * self.edges.count,
            dr.gather(mi.UInt32, self.sensor.frame, view) * self.n_vertices,
        )

    def _is_silhouette(self, pair: "mi.UInt32", vertices: "mi.Float") -> "mi.Bool":
        view, edge, base = self._split(pair)
        eye = self.sensor.center(view)
        a, b, p, q = (
            dr.gather(mi.Point3f, vertices, base + dr.gather(mi.UInt32, table, edge * 2 + k))
            for table in (self.edges.ends, self.edges.opposite)
            for k in (0, 1)
        )
        kind = dr.gather(mi.UInt32, self.edges.kind, edge)
        facing = dr.cross(b - a, a - eye)  # (b - a) x (p - a) . (a - eye) = -(facing . (p - a))
        first = (dr.dot(facing, p - a) > 0) ^ ((kind & 1) != 0)
        second = (dr.dot(facing, q - a) > 0) ^ ((kind & 2) != 0)
        # The texture may jump at a seam wherever it is seen, also from inside through the open wrist.
        return (first != second) | ((kind & 12) != 0)

    def _segment(self, pair: "mi.UInt32", vertices: "mi.Float") -> Segment:
        """Cut an edge at the near plane, then at the borders of the crop window (Liang and Barsky 1984)."""
        view, edge, base = self._split(pair)
        a, b = (
            dr.gather(mi.Point3f, vertices, base + dr.gather(mi.UInt32, self.edges.ends, edge * 2 + k))
            for k in (0, 1)
        )
        p, q = self.sensor.project(view, a), self.sensor.project(view, b)
        shown = (p.z > NEAR_M) | (q.z > NEAR_M)
        p, q = _cut(p, q), _cut(q, p)
        start, stop = mi.Point2f(p.x, p.y) / p.z, mi.Point2f(q.x, q.y) / q.z
        d = mi.Vector2f(stop - start)
        least, most = self.sensor.window(view)
        enter, leave = mi.Float(0), mi.Float(1)
        for k in (0, 1):
            flat = dr.abs(d[k]) < 1e-12
            low, high = (least[k] - start[k]) / d[k], (most[k] - start[k]) / d[k]
            enter = dr.maximum(enter, dr.select(flat, 0, dr.minimum(low, high)))
            leave = dr.minimum(leave, dr.select(flat, 1, dr.maximum(low, high)))
            shown &= ~flat | ((start[k] >= least[k]) & (start[k] <= most[k]))
        shown &= leave > enter
        return Segment(view, a, b, mi.Point2f(start + d * enter), d * (leave - enter), shown)

    def _points(
        self, pair: "mi.UInt32", rest: "mi.Float", px_per_sample: float, vertices: "mi.Float"
    ) -> "EdgeSamples":
        segment = self._segment(pair, vertices)
        _, edge, base = self._split(pair)
        length = dr.maximum(dr.norm(segment.along), 1e-20)
        uv_px = mi.Point2f(segment.start + segment.along * dr.clip(1 - rest / length, 0, 1))
        normal = mi.Vector2f(segment.along.y, -segment.along.x) / length
        p, q = self.sensor.project(segment.view, segment.a), self.sensor.project(segment.view, segment.b)
        # Where on the edge in space the pixel position lies: linear in homogeneous coordinates. Solved along the
        # axis in which the edge is longer.
        wide = dr.abs(segment.along.x) > dr.abs(segment.along.y)
        at, pk, qk = (dr.select(wide, x, y) for x, y in ((uv_px.x, uv_px.y), (p.x, p.y), (q.x, q.y)))
        start, stop = pk - at * p.z, qk - at * q.z
        share = dr.clip(start / (start - stop), 0, 1)
        ends = [base + dr.gather(mi.UInt32, self.edges.ends, edge * 2 + k) for k in (0, 1)]
        samples = EdgeSamples(
            segment.view, uv_px, normal, share, ends[0], ends[1], dr.opaque(mi.Float, px_per_sample)
        )
        dr.eval(samples.uv_px, samples.normal, samples.share, samples.view, samples.end_a, samples.end_b)
        return samples


def _cut(p: "mi.Vector3f", q: "mi.Vector3f") -> "mi.Vector3f":
    """Homogeneous pixel coordinates moved along the edge up to the near plane if `p` lies behind it."""
    t = dr.clip((NEAR_M - p.z) / (q.z - p.z), 0, 1)
    return dr.select(p.z < NEAR_M, p + (q - p) * t, p)


@dataclass
class EdgeSamples:
    """Points on silhouettes: where the view's pinhole shows them, the edge's normal there, and where they sit on
    the edge."""

    view: "mi.UInt32"
    uv_px: "mi.Point2f"
    normal: "mi.Vector2f"
    share: "mi.Float"
    end_a: "mi.UInt32"
    end_b: "mi.UInt32"
    px_per_sample: "mi.Float"

    def point(self, vertices: Attached) -> "mi.Point3f":
        """The sampled point of the moving edge; differentiable."""
        a, b = vertices.gather(self.end_a), vertices.gather(self.end_b)
        return mi.Point3f(a * (1 - self.share) + b * self.share)

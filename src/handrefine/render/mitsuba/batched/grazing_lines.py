"""Lines that graze edges of the hands: the borders between light that passes and light that is blocked."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import math
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.attached import Attached
from handrefine.render.mitsuba.batched.edge_table import EdgeTable
from handrefine.render.mitsuba.batched.samples import IndependentSamples
from handrefine.render.mitsuba.batched.spread import spread

#: Lines at concave edges run inside the hand, or inside the open wrist where few are seen: they get this share of
#: the samples that they would get at convex ones.
CONCAVE = 0.25


@dataclass
class GrazingLines:
    """Lines through points of edges, both faces of which lie on one side of the line. A line has no direction yet.

    point: on the edge, at `share` between the vertices `end_a` and `end_b`.
    along: of the line, unit.
    normal: across line and edge, away from the faces; unit.
    sine: of the angle between line and edge.
    measure: metres of edge times solid angle that the line stands for.
    near_face, far_face: the faces that line the edge where the line comes from and where it goes, with the point's
        barycentric coordinates in them.
    """

    frame: "mi.UInt32"
    end_a: "mi.UInt32"
    end_b: "mi.UInt32"
    share: "mi.Float"
    point: "mi.Vector3f"
    along: "mi.Vector3f"
    normal: "mi.Vector3f"
    sine: "mi.Float"
    measure: "mi.Float"
    near_face: "mi.UInt32"
    near_uv: "mi.Point2f"
    far_face: "mi.UInt32"
    far_uv: "mi.Point2f"

    def moving_point(self, vertices: Attached) -> "mi.Vector3f":
        """The sampled point of the moving edge; differentiable."""
        return vertices.gather(self.end_a) * (1 - self.share) + vertices.gather(self.end_b) * self.share


@dataclass
class _Wedge:
    """An edge from a to b and the plane across it, with its axes: into the first face, and towards the second."""

    a: "mi.Vector3f"
    b: "mi.Vector3f"
    length: "mi.Float"
    axis: "mi.Vector3f"
    first: "mi.Vector3f"
    across: "mi.Vector3f"
    angle: "mi.Float"  # between the faces, 0 at a border
    density: "mi.Float"


class GrazingLineSampler:
    """Draws edges by length times the angle that is free for lines, and lines evenly within that angle."""

    def __init__(self, edges: EdgeTable, n_frames: int, n_vertices: int, n_faces: int) -> None:
        self.edges, self.n_frames, self.n_vertices, self.n_faces = edges, n_frames, n_vertices, n_faces

    def choose(
        self, vertices: "mi.Float", n: int, seed: "mi.UInt32"
    ) -> "tuple[mi.UInt32, mi.Float] | tuple[None, None]":
        """Edges (frame * edges + edge) for `n` lines, and the measure of a line; None without any edge.

        One number travels to the host: the edges' whole measure.
        """
        every = dr.arange(mi.UInt32, self.n_frames * self.edges.count)
        wedge = self._wedge(every, vertices)
        # A line's directions fill a lune, whose solid angle is twice its angle.
        measure = dr.select(wedge.length > 0, wedge.length * (math.pi - wedge.angle) * wedge.density * 2, 0)
        cumulative = dr.cumsum(mi.Float64(measure))
        dr.eval(cumulative)
        total = float(cumulative[-1])
        if not total > 0:
            return None, None
        chosen, _ = spread(cumulative, total, n, self.n_frames * self.edges.count, seed)
        return chosen, dr.opaque(mi.Float, total / n)

    def lines(
        self, chosen: "mi.UInt32", measure: "mi.Float", vertices: "mi.Float", random: IndependentSamples
    ) -> GrazingLines:
        """One random line at each of the edges; the same numbers, the same line."""
        wedge = self._wedge(chosen, vertices)
        frame, edge, base = self._split(chosen)
        u, v = random.next_2d(), random.next_2d()
        azimuth = wedge.angle + (math.pi - wedge.angle) * v.x
        out = wedge.first * dr.cos(azimuth) + wedge.across * dr.sin(azimuth)
        cos_polar = 2 * u.y - 1
        sine = dr.safe_sqrt(1 - cos_polar * cos_polar)
        along = wedge.axis * cos_polar + out * sine
        normal = dr.cross(wedge.axis, out)
        second = wedge.first * dr.cos(wedge.angle) + wedge.across * dr.sin(wedge.angle)
        normal = dr.select(dr.dot(normal, wedge.first + second) > 0, -normal, normal)
        # Of the two faces, that on the side where the line comes from.
        first_is_near = dr.dot(wedge.first, out) < dr.dot(second, out)
        near, far = dr.select(first_is_near, mi.UInt32(0), 1), dr.select(first_is_near, mi.UInt32(1), 0)
        ends = [base + dr.gather(mi.UInt32, self.edges.ends, edge * 2 + k) for k in (0, 1)]
        return GrazingLines(
            frame,
            *ends,
            u.x,
            wedge.a + (wedge.b - wedge.a) * u.x,
            along,
            normal,
            sine,
            measure / wedge.density,
            *self._on_face(frame, edge, near, u.x),
            *self._on_face(frame, edge, far, u.x),
        )

    def _split(self, chosen: "mi.UInt32") -> tuple["mi.UInt32", "mi.UInt32", "mi.UInt32"]:
        """Frame, edge, and the first vertex of the frame."""
        frame = chosen // self.edges.count
        return frame, chosen - frame * self.edges.count, frame * self.n_vertices

    def _wedge(self, chosen: "mi.UInt32", vertices: "mi.Float") -> _Wedge:
        _, edge, base = self._split(chosen)
        a, b, p, q = (
            dr.gather(mi.Vector3f, vertices, base + dr.gather(mi.UInt32, table, edge * 2 + k))
            for table in (self.edges.ends, self.edges.opposite)
            for k in (0, 1)
        )
        kind = dr.gather(mi.UInt32, self.edges.kind, edge)
        border = (kind & 4) != 0
        length = dr.norm(b - a)
        axis = (b - a) / dr.maximum(length, 1e-12)
        first, second = (_unit(x - a - axis * dr.dot(x - a, axis)) for x in (p, q))
        # Flat or folded shut, the plane's second axis is the faces' normal.
        normal = dr.cross(axis, first)
        across = second - first * dr.dot(first, second)
        across = dr.select(border | (dr.norm(across) < 1e-6), normal, _unit(across))
        angle = dr.select(border, 0, dr.atan2(dr.dot(second, across), dr.dot(first, second)))
        outward = dr.select((kind & 1) != 0, -normal, normal)
        concave = ~border & (dr.dot(outward, second) > 0)
        return _Wedge(a, b, length, axis, first, across, angle, dr.select(concave, mi.Float(CONCAVE), 1))

    def _on_face(
        self, frame: "mi.UInt32", edge: "mi.UInt32", side: "mi.UInt32", share: "mi.Float"
    ) -> tuple["mi.UInt32", "mi.Point2f"]:
        """Primitive, and barycentric coordinates of a point of the edge."""
        face, corners = (
            dr.gather(mi.UInt32, table, edge * 2 + side) for table in (self.edges.faces, self.edges.corners)
        )
        start, stop = corners % 3, corners // 3
        uv = mi.Point2f(*(dr.select(start == k, 1 - share, dr.select(stop == k, share, 0)) for k in (1, 2)))
        return frame * self.n_faces + face, uv


def _unit(x: "mi.Vector3f") -> "mi.Vector3f":
    return x / dr.maximum(dr.norm(x), 1e-20)

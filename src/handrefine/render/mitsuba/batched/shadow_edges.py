"""The gradient of what moving shadow edges uncover: sampled from the occluder, joined to all views at once."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false

import math

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.attached import Attached
from handrefine.render.mitsuba.batched.edge_table import EdgeTable
from handrefine.render.mitsuba.batched.grazing_lines import GrazingLines, GrazingLineSampler
from handrefine.render.mitsuba.batched.multiview_sensor import MultiViewSensor
from handrefine.render.mitsuba.batched.passing_light import Hits, PassingLight
from handrefine.render.mitsuba.batched.radiance import HandIntegrator, above
from handrefine.render.mitsuba.batched.samples import IndependentSamples
from handrefine.render.mitsuba.batched.seen_points import SeenPoints
from handrefine.render.mitsuba.batched.surfaces import HandTriangles, Surface

#: Of the cosines at the smooth and at the triangle's normal: 1 on average, but without a bound where light grazes.
LARGEST_RATIO = 8.0


class ShadowEdges:
    """Adds to the vertices' gradient what the motion of shadow edges contributes.

    A point p with reflectance rho and smooth normal n_s receives light that ends where lines to it graze an edge.
    With x a point of the edge, d the line's direction from p past x, n the unit normal of edge and d out of the
    occluder, and dL the radiance beyond the edge minus that of the edge itself,

        dLoss = - sum over views, integral dx dd
                  A(p) . rho / pi dL (n_s . d) / |n_g . d| G(p) sin(edge, d) n . (x' - p')

    where A is the loss's gradient in the pixel of p, G the pixels that a square metre of surface covers there (0
    where p is hidden), n_g the triangle's normal, x' the motion of x and p' that of p along the camera's ray. This
    is the boundary term of Reynolds' transport theorem (Li et al. 2018, "Differentiable Monte Carlo Ray Tracing
    through Edge Sampling") in the variables of the occluder (Zhang et al. 2023, "Projective Sampling for
    Differentiable Rendering of Geometry"): distances cancel, so that nothing explodes where surfaces touch, and
    one line serves all views.

    By a second bounce p sends that light on to a point that the views see. Edges at third and later bounces are
    left out. Points are those of the triangles; that rays start slightly above them is of second order here.
    """

    def __init__(
        self,
        edges: EdgeTable,
        sensor: MultiViewSensor,
        integrator: HandIntegrator,
        geometry: HandTriangles,
        n_lines: int,
    ) -> None:
        self._n_lines, self._geometry, self._integrator = n_lines, geometry, integrator
        self._sampler = GrazingLineSampler(edges, geometry.n_frames, geometry.n_vertices, geometry.n_faces)
        self._seen = SeenPoints(sensor, integrator)

    def backpropagate(
        self, vertices: Attached, gradient: "list[mi.Float]", seeds: "tuple[mi.UInt32, mi.UInt32]"
    ) -> None:
        """Propagate the gradient of the radiance through shadow edges to the vertices. Seeds: independent ones."""
        with dr.suspend_grad():
            sample = self._sample(vertices.values, *seeds)
            if sample is None:
                return
            lines, hits, random = sample
            light = PassingLight(lines, hits, self._integrator, random)
            p, response = self._receiver(light.receiver, light.d)
            bounces = self._integrator.max_depth - 2
            lost = light.lost(bounces) * response
            changed, slid = self._seen.change(p, lines.frame, lost, lines.normal, gradient)
            sliding = [(light.receiver, p.geometric_n, slid)]
            if bounces > 0:
                sent = light.lost(bounces - 1) * response
                more, slide, other = self._sent_on(light, lines, p, sent, gradient)
                changed += more
                sliding = [(light.receiver, p.geometric_n, slid + slide * more), other]
        moved = dr.dot(lines.moving_point(vertices), lines.normal) * changed
        for pi, n, weight in sliding:
            moved -= dr.dot(self._geometry.moving_point(pi, vertices), n) * weight
        dr.backward_from(moved)

    def _sent_on(self, light: PassingLight, lines: GrazingLines, p: Surface, sent: "mi.Color3f", gradient: list):
        """What views see of the light that receivers p send on to other points q, each in one direction.

        p lies on the ray from q, so it moves with q and slides over its triangle.

        Returns:
            The change of the loss, how far p slides along the edge's normal, and of q the hit, the triangle's
            normal and the change times its sliding.
        """
        d, cosine = _evenly(p, light.random)
        ray = mi.Ray3f(p.p + above(p), d)
        ray.maxt = self._integrator.to_border(ray, p.cell)
        pi = self._integrator.first_hit(ray, mi.Bool(True))
        hit = pi.is_valid()
        pi = dr.select(hit, pi, light.receiver)  # no light goes there, but everything is finite
        q, response = self._receiver(pi, -d)
        arriving = dr.select(hit, sent * response * (2 * math.pi * cosine), 0)
        slide = dr.dot(lines.normal, d) / cosine
        rest = lines.normal - p.geometric_n * slide
        changed, slid = self._seen.change(q, lines.frame, arriving, rest, gradient)
        return changed, slide, (pi, q.geometric_n, slid)

    def _sample(
        self, vertices: "mi.Float", seed: "mi.UInt32", seed_of_lines: "mi.UInt32"
    ) -> tuple[GrazingLines, Hits, IndependentSamples] | None:
        """Lines that meet a hand, what they meet, and the rest of their random numbers."""
        chosen, measure = self._sampler.choose(vertices, self._n_lines, seed)
        if chosen is None:
            return None
        lane = dr.arange(mi.UInt32, self._n_lines)
        lines = self._sampler.lines(chosen, measure, vertices, IndependentSamples(lane, seed_of_lines))
        hits = Hits.of(lines, self._integrator)
        back, ahead = hits.back.is_valid(), hits.ahead.is_valid()
        # With a surface on both sides there is no light at depth 2.
        useful = back ^ ahead if self._integrator.max_depth == 2 else back | ahead
        dr.eval(hits, useful)
        kept = dr.compress(useful)
        if dr.width(kept) == 0:
            return None
        random = IndependentSamples(dr.gather(mi.UInt32, lane, kept), seed_of_lines)
        lines = self._sampler.lines(dr.gather(mi.UInt32, chosen, kept), measure, vertices, random)
        return lines, dr.gather(Hits, hits, kept), random

    def _receiver(
        self, pi: "mi.PreliminaryIntersection3f", light_d: "mi.Vector3f"
    ) -> tuple[Surface, "mi.Color3f"]:
        """A surface seen along `-light_d`, and its response to light from d: rho / pi (n_s . d) / (n_g . d)."""
        ray = mi.Ray3f(mi.Point3f(0), -light_d)  # where it starts matters to gradients only
        surface = self._geometry.surface(pi, ray, mi.Bool(True))
        ratio = dr.maximum(dr.dot(surface.n, light_d), 0) / dr.maximum(dr.dot(surface.geometric_n, light_d), 1e-6)
        return surface, surface.albedo * (dr.minimum(ratio, LARGEST_RATIO) / math.pi)


def _evenly(surface: Surface, random: IndependentSamples) -> tuple["mi.Vector3f", "mi.Float"]:
    """A direction from the even distribution over a triangle's hemisphere, and its cosine.

    By the cosine, how far the light's origin slides over the triangle would have no variance.
    """
    local = mi.warp.square_to_uniform_hemisphere(random.next_2d())
    return mi.Frame3f(surface.geometric_n).to_world(local), dr.maximum(local.z, 1e-6)

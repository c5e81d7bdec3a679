"""Light that passes an edge of the hands, or is blocked there, on its way to a receiver."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false, reportOptionalMemberAccess=false

from dataclasses import dataclass

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.grazing_lines import GrazingLines
from handrefine.render.mitsuba.batched.radiance import HandIntegrator
from handrefine.render.mitsuba.batched.samples import IndependentSamples

#: How far a grazing line passes its edge, in roundings of a float32 coordinate of the scene.
ROUNDINGS = 32.0


@dataclass
class Hits:
    """What lines meet behind their edges (against `along`) and ahead of them."""

    back: "mi.PreliminaryIntersection3f"
    ahead: "mi.PreliminaryIntersection3f"

    @staticmethod
    def of(lines: GrazingLines, integrator: HandIntegrator) -> "Hits":
        world = integrator.world
        cell = dr.gather(mi.Point3f, world.geometry.cells, lines.frame)
        aside = dr.max(dr.abs(mi.Vector3f(cell)) + world.radius) * (ROUNDINGS * 2.0**-24)
        start = mi.Point3f(lines.point + lines.normal * aside)
        return Hits(*(_cast(mi.Ray3f(start, d), cell, integrator) for d in (-lines.along, lines.along)))


def _cast(ray: "mi.Ray3f", cell: "mi.Point3f", integrator: HandIntegrator) -> "mi.PreliminaryIntersection3f":
    ray.maxt = integrator.to_border(ray, cell)
    return integrator.first_hit(ray, mi.Bool(True))


class PassingLight:
    """Light along lines that meet a hand on at least one side of their edge.

    d: the direction from the receiver past the edge: away from the only hit, or by chance where there are two.
    receiver: the hit from which it comes.
    random: numbers that are still to be drawn.
    """

    def __init__(
        self, lines: GrazingLines, hits: Hits, integrator: HandIntegrator, random: IndependentSamples
    ) -> None:
        self._lines, self._integrator, self.random = lines, integrator, random
        back, ahead = hits.back.is_valid(), hits.ahead.is_valid()
        self._free = ~(back & ahead)
        forward = dr.select(self._free, back, random.next_2d().x < 0.5)
        self._measure = dr.select(self._free, lines.measure, 2 * lines.measure)
        self.d = dr.select(forward, lines.along, -lines.along)
        self.receiver = dr.select(forward, hits.back, hits.ahead)
        self._beyond = dr.select(forward, hits.ahead, hits.back)
        self._occluder = dr.zeros(mi.PreliminaryIntersection3f, dr.width(lines.frame))
        self._occluder.prim_index = dr.select(forward, lines.near_face, lines.far_face)
        self._occluder.prim_uv = dr.select(forward, lines.near_uv, lines.far_uv)

    def lost(self, bounces: int) -> "mi.Color3f":
        """By how much less light arrives as the edge moves out by a metre, on a square metre across the light.

        The radiance of the edge itself minus that beyond, over paths with at most `bounces` further bounces, times
        what the line stands for.
        """
        light = self._integrator.world.light
        jump = mi.Color3f(dr.select(self._free, light.radiance(self.d, self._free), 0))
        if bounces > 0:
            ray, decision = mi.Ray3f(mi.Point3f(self._lines.point), self.d), self.random.decision
            for sign, pi, active in ((1.0, self._beyond, ~self._free), (-1.0, self._occluder, mi.Bool(True))):
                self.random.decision = decision  # the same random numbers on both sides
                seen = self._integrator.radiance(pi, ray, active, self.random, bounces + 1)
                jump += dr.select(active, sign * seen, 0)
        return jump * (-self._lines.sine * self._measure)

"""Radiance along rays into the hands: paths of any depth, with the low-order light in closed form."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false, reportOptionalMemberAccess=false, reportReturnType=false

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.environment_light import Light
from handrefine.render.mitsuba.batched.multiview_sensor import sphere_chord
from handrefine.render.mitsuba.batched.surfaces import HandTriangles, Surface

#: Share of the directions that are drawn evenly over the hemisphere; the others by the cosine.
EVEN = 0.1


@runtime_checkable
class Samples(Protocol):
    """Uniform random points, a fresh one a decision."""

    def next_2d(self) -> "mi.Point2f": ...


@dataclass
class World:
    """What rays can meet: hands in their cells, and the light around them."""

    geometry: HandTriangles
    light: Light
    radius: "mi.Float"


class HandIntegrator(mi.ad.integrators.common.ADIntegrator):
    """Path tracer for Lambertian hands under light from infinity (`handrefine_path`).

    The reflected radiance at a point with albedo rho and normal n, over directions d with weights w (`scatter`):

        L = rho E(n) / pi + rho mean of w [ L_in(d) - L_cv(d) ],

    L_cv being the part of the light up to spherical harmonics order 2 and E its irradiance in closed form: exact
    for any light, and free of noise where nothing occludes a low-order light. `L_in(d)` is the light if d is free,
    else the radiance reflected there, 0 once the path has `max_depth` edges (Mitsuba's counting).

    Paths are replayed with new random numbers for the gradient, like `prb`. Since hands need few bounces, they are
    unrolled instead of stored or traced twice: value and derivative of a path are one kernel. Directions stay
    fixed in space, so a visible point carries the motion of every point before it. The motion of shadow edges is
    not differentiated here (`ShadowEdges`).

    lifted: whether rays leave from the smooth surface through a triangle's corners instead of the triangle.
    """

    def __init__(self, props: "mi.Properties") -> None:
        super().__init__(props)
        self.albedo_only = bool(props.get("albedo_only", False))
        self.lifted = bool(props.get("lifted", False))
        self.world: World | None = None

    def sample(self, mode, scene, sampler, ray, active=True, **_):
        """Mitsuba's interface, primal only; gradients are `Tracer`'s business."""
        del mode, scene
        pi = self.first_hit(ray, mi.Bool(active))
        return self.radiance(pi, ray, pi.is_valid(), sampler), pi.is_valid(), [], None

    def first_hit(self, ray: "mi.Ray3f", active: "mi.Bool") -> "mi.PreliminaryIntersection3f":
        return self.world.geometry.first_hit(ray, active)

    def radiance(
        self,
        pi: "mi.PreliminaryIntersection3f",
        ray: "mi.Ray3f",
        active: "mi.Bool",
        sampler: Samples,
        depth: int | None = None,
    ) -> "mi.Color3f":
        """Radiance at first hits by paths of at most `depth` edges (`max_depth` unless given), the ray among them.

        Attached to whatever arrays of the world carry gradients.
        """
        depth = depth or self.max_depth
        geometry, light = self.world.geometry, self.world.light
        surface = geometry.surface(pi, ray, active)
        if self.albedo_only:
            return surface.albedo
        result, throughput = mi.Color3f(0), mi.Color3f(1)
        for bounce in range(depth - 1):
            throughput = throughput * surface.albedo
            d, weight = scatter(surface, sampler)
            ray = self._leave(surface, d)
            if bounce == depth - 2:
                free = active & ~geometry.scene.ray_test(dr.detach(ray), active=active)
            else:
                pi = geometry.scene.ray_intersect_preliminary(dr.detach(ray), coherent=False, active=active)
                free = active & ~pi.is_valid()
            sky = dr.select(free, light.radiance(d, free), 0) * weight
            result = result + dr.select(
                active, throughput * (light.control(surface.n, d, weight, active) + sky), 0
            )
            active = active & ~free
            if bounce < depth - 2:
                throughput = throughput * weight
                surface = geometry.surface(pi, ray, active)
        return result

    def _leave(self, surface: Surface, d: "mi.Vector3f") -> "mi.Ray3f":
        """The ray from a surface into a direction, up to where it leaves its frame's cell.

        Lifted, it starts on the smooth surface. From the triangle itself the visible part of the hemisphere about
        the shading normal ends at the triangle's plane, and jumps at every edge of the mesh.
        """
        if self.lifted:
            origin = surface.p + surface.lift + above(surface)
        else:
            origin = surface.p + above(surface) * dr.select(dr.dot(surface.geometric_n, d) > 0, 1, -1)
        ray = mi.Ray3f(origin, d)
        ray.maxt = self.to_border(ray, surface.cell)
        return ray

    def to_border(self, ray: "mi.Ray3f", cell: "mi.Point3f") -> "mi.Float":
        """How far a ray from inside a cell is from leaving it."""
        from_center = mi.Vector3f(dr.detach(ray.o) - dr.detach(cell))
        return sphere_chord(from_center, dr.detach(ray.d), self.world.radius)[1]


def above(surface: Surface) -> "mi.Vector3f":
    """So far off its triangle that no triangle shadows itself: as Mitsuba's own, relative to the coordinates."""
    return surface.geometric_n * ((1 + dr.max(dr.abs(dr.detach(surface.p)))) * mi.math.RayEpsilon)


def scatter(surface: Surface, sampler: Samples) -> tuple["mi.Vector3f", "mi.Float"]:
    """A direction, fixed in space, and its weight: cosine / pi over the density it was drawn with.

    With the normal the weight changes by `(dn . d) / pi` over the density. Drawn by the cosine alone that has no
    bound towards the horizon, where concave skin occludes nearly every direction: now and then one sample would
    outweigh all others of an image a thousand times.
    """
    u = sampler.next_2d()
    even = u.x < EVEN
    u = mi.Point2f(dr.select(even, u.x / EVEN, (u.x - EVEN) / (1 - EVEN)), u.y)
    local = dr.select(even, mi.warp.square_to_uniform_hemisphere(u), mi.warp.square_to_cosine_hemisphere(u))
    d = mi.Frame3f(dr.detach(surface.n)).to_world(local)
    pi_times_density = (1 - EVEN) * local.z + EVEN / 2
    return d, dr.dot(surface.n, d) / pi_times_density


def hand_integrator(depth: int, albedo_only: bool, lifted: bool) -> HandIntegrator:
    mi.register_integrator("handrefine_path", HandIntegrator)
    settings = {"max_depth": depth, "albedo_only": albedo_only, "lifted": lifted}
    return mi.load_dict({"type": "handrefine_path", **settings}, optimize=False)

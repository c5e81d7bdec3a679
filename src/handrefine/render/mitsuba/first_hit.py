"""What the camera sees at the first surface, without light. Import after `start_mitsuba()`."""

# ruff: noqa: PLC2401   (signatures are Mitsuba's)
# Mitsuba's type stubs mix up its own and Dr.Jit's array types, and lack its Python modules.
# pyright: reportMissingImports=false, reportReturnType=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable

import drjit as dr
import mitsuba as mi
from mitsuba.ad.integrators.common import PSIntegrator


def albedo(si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Color3f:
    """Diffuse reflectance of the surface, the same on both sides."""
    return si.bsdf().eval_diffuse_reflectance(si, active)


def hand_colour_code(meshes: list[mi.Mesh]) -> Callable[[mi.SurfaceInteraction3f, mi.Bool], mi.Color3f]:
    """Red where the first mesh is seen, green for the second, blue for the third."""

    def code(si: mi.SurfaceInteraction3f, active: mi.Bool) -> mi.Color3f:
        seen = [mi.Float(dr.select(active & (si.shape == mi.ShapePtr(mesh)), 1, 0)) for mesh in meshes]
        return mi.Color3f(*seen, *[mi.Float(0)] * (3 - len(seen)))

    return code


class FirstHit(PSIntegrator):
    """Averages a function of the first visible surface over each pixel; 0 where there is none.

    Differentiable in whatever the function depends on, and in visibility through projective sampling
    (Zhang et al., "Projective Sampling for Differentiable Rendering of Geometry", 2023).
    """

    def __init__(self, value: Callable[[mi.SurfaceInteraction3f, mi.Bool], mi.Color3f]) -> None:
        props = mi.Properties()
        props["max_depth"] = 1
        props["sppi"] = 0
        super().__init__(props)
        self.radiative_backprop = False
        self._value = value

    def sample(self, mode, scene, sampler, ray, depth, δL, state_in, active, project=False, si_shade=None, **_):
        """See `PSIntegrator.sample`."""
        del sampler, depth, δL, state_in, project
        with dr.resume_grad(when=mode != dr.ADMode.Primal):
            si = (
                scene.ray_intersect(ray, mi.RayFlags.All, coherent=True, active=active)
                if si_shade is None
                else si_shade
            )
            valid = active & si.is_valid()
            return dr.select(valid, self._value(si, valid), mi.Color3f(0)), valid, [], None

    def sample_radiance_difference(self, scene, ss, curr_depth, sampler, wavelengths, active):
        """The function just inside the silhouette minus the function just beyond it."""
        del curr_depth, sampler
        behind = scene.ray_intersect(ss.spawn_ray(wavelengths), active=active)
        hit = dr.zeros(mi.PreliminaryIntersection3f)
        hit.valid, hit.t = active, 1
        hit.prim_index, hit.prim_uv, hit.shape = ss.prim_index, ss.uv, ss.shape
        front = hit.compute_surface_interaction(mi.Ray3f(ss.p - ss.d, ss.d), mi.RayFlags.All, active)
        difference = self._value(front, active) - dr.select(
            behind.is_valid(), self._value(behind, active & behind.is_valid()), mi.Color3f(0)
        )
        return difference, active & dr.any(difference != 0)

"""What all views of a frame see of points of its hands."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false, reportOptionalMemberAccess=false, reportAssignmentType=false

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.render.mitsuba.batched.multiview_sensor import NEAR_M, MultiViewSensor
from handrefine.render.mitsuba.batched.radiance import HandIntegrator, above
from handrefine.render.mitsuba.batched.surfaces import Surface


class SeenPoints:
    """Sums over the views of a frame, a view at a time in every lane."""

    def __init__(self, sensor: MultiViewSensor, integrator: HandIntegrator) -> None:
        self.sensor, self.integrator = sensor, integrator
        frames = np.array([view.frame for view in sensor.views.views])
        views = [np.flatnonzero(frames == frame) for frame in range(frames.max() + 1)]
        self.most = max(map(len, views))
        table = np.zeros((len(views), self.most), np.uint32)
        for row, found in zip(table, views, strict=True):
            row[: len(found)] = found
        self._views, self._counts = mi.UInt32(table.ravel()), mi.UInt32([len(x) for x in views])

    def change(
        self,
        surface: Surface,
        frame: "mi.UInt32",
        light: "mi.Color3f",
        slope: "mi.Vector3f",
        gradient: "list[mi.Float]",
    ) -> tuple["mi.Float", "mi.Float"]:
        """How the loss changes as more light leaves points, and as it slides with the points over the surface.

        Args:
            surface: the points; seen from the side to which the normals are turned.
            light: more radiance, times a square metre of the surface.
            slope: a vector w. The point that a view sees in one place moves along the camera's ray r by
                r (n_g . v') / (n_g . r), if its triangle moves by v'.
            gradient: of the loss in each channel of the flat pixels.

        Returns:
            The sum over views of the change c, and of c (w . r) / (n_g . r).
        """
        p, count = mi.Vector3f(surface.p), dr.gather(mi.UInt32, self._counts, frame)
        start = mi.Point3f(p + above(surface))

        def step(k, changed, slid):
            view = dr.gather(mi.UInt32, self._views, frame * self.most + k)
            q = self.sensor.project(view, surface.p)
            uv_px, enlarged = self.sensor.through_lens(view, mi.Point2f(q.x, q.y) / q.z)
            size = [mi.Float(dr.gather(mi.UInt32, x, view)) for x in (self.sensor.width, self.sensor.height)]
            to_camera = mi.Vector3f(self.sensor.center(view)) - p
            distance = dr.norm(to_camera)
            to_camera /= distance
            cosine = dr.dot(surface.geometric_n, to_camera)
            seen = (cosine > 0) & (q.z > NEAR_M)
            for x, end in zip(uv_px, size, strict=True):
                seen &= (x >= 0) & (x < end)
            pixel = self.sensor.pixel_at(view, uv_px)
            adjoint = mi.Vector3f(*(dr.gather(mi.Float, channel, pixel, seen) for channel in gradient[:3]))
            seen &= (adjoint.x != 0) | (adjoint.y != 0) | (adjoint.z != 0)
            ray = mi.Ray3f(start, to_camera)
            ray.maxt = dr.minimum(self.integrator.to_border(ray, surface.cell), distance)
            seen &= ~self.integrator.world.geometry.hides(ray, seen)
            # Pixels a square metre of surface, but for the cosine.
            density = self.sensor.pixel_area(view) * distance / (q.z * q.z * q.z) * enlarged
            change = dr.select(seen, dr.dot(adjoint, mi.Vector3f(light)) * density, 0)
            return k + 1, changed + change * cosine, slid + change * dr.dot(slope, to_camera)

        _, changed, slid = dr.while_loop(
            (mi.UInt32(0), dr.zeros(mi.Float, dr.width(frame)), dr.zeros(mi.Float, dr.width(frame))),
            lambda k, changed, slid: k < count,
            step,
            label="views of a point",
        )
        return changed, slid

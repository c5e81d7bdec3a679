"""Which triangle every pixel's middle shows, on Dr.Jit arrays. Import after `start_mitsuba()`."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false

import drjit as dr
import mitsuba as mi

from handrefine.render.mitsuba.batched.tracer import Tracer
from handrefine.render.mitsuba.bridge import Arrays


def first_hits(tracer: Tracer, inputs: Arrays, *, moved: bool) -> "list[mi.TensorXf]":
    """Of every pixel the triangle (-1: none) and its three barycentric coordinates.

    Numbers of triangles are exact in float32 up to 2^24.

    Args:
        inputs: `vertices`, `view_table` and `radius`, as a tracer's.
        moved: they are not those of the tracer's last image, so that it needs a new tree.
    """
    sensor = tracer.sensor
    with dr.suspend_grad():
        if moved:
            tracer.forget()
            tracer.geometry.move(inputs["vertices"].array)
            sensor.place(inputs["view_table"].array, inputs["radius"].array)
        view, corner = sensor.pixel(dr.arange(mi.UInt32, tracer.views.n_pixels))
        ray = sensor.ray(view, corner + mi.Point2f(0.5, 0.5))
        hit = tracer.geometry.seen_first(ray, ray.maxt > 0)
        met = hit.is_valid()
        face = dr.select(met, mi.Float(hit.prim_index % tracer.geometry.n_faces), -1)
        b1, b2 = dr.select(met, hit.prim_uv.x, 0), dr.select(met, hit.prim_uv.y, 0)
        parts = (face, 1 - b1 - b2, b1, b2)
        dr.eval(parts)
    return [mi.TensorXf(mi.Float(part)) for part in parts]

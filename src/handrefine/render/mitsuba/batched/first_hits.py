"""Which triangle every pixel's middle shows. Import after `start_mitsuba()`."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false

import drjit as dr
import mitsuba as mi
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrefine.render.mitsuba.batched.cells import arrange
from handrefine.render.mitsuba.batched.tracer import Tracer
from handrefine.render.mitsuba.batched.view_table import ViewTable


def first_hits(
    tracer: Tracer, table: ViewTable, verts_world: Float[Tensor, "frame vertex 3"], *, moved: bool
) -> tuple[Int[Tensor, " pixel"], Float[Tensor, "pixel 3"]]:
    """Triangle (-1: none) and barycentric coordinates of every pixel of a tracer's views.

    verts_world: of all hands. moved: they are not those of the tracer's last image, so that it needs a new tree.
    """
    geometry, sensor = tracer.geometry, tracer.sensor
    with dr.suspend_grad():
        if moved:
            cells = arrange(verts_world)
            tracer.forget()
            geometry.move(mi.Float(cells.to_scene(verts_world).reshape(-1)))
            sensor.place(mi.Float(table.rows(cells).reshape(-1)), mi.Float(cells.radius_m.reshape(1)))
        view, corner = sensor.pixel(dr.arange(mi.UInt32, tracer.views.n_pixels))
        ray = sensor.ray(view, corner + mi.Point2f(0.5, 0.5))
        pi = geometry.scene.ray_intersect_preliminary(ray, coherent=False, active=ray.maxt > 0)
        met = pi.is_valid()
        face = mi.Int32(dr.select(met, mi.Int32(pi.prim_index % geometry.n_faces), -1))
        b1, b2 = dr.select(met, pi.prim_uv.x, 0), dr.select(met, pi.prim_uv.y, 0)
        corners = mi.Point3f(1 - b1 - b2, b1, b2)
        dr.eval(face, corners)
    weights = [mi.Float(corner).torch() for corner in corners]
    return face.torch().long(), torch.stack(weights, dim=1)

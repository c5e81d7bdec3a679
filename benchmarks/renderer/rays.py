"""The limit: nothing but the ray queries of one iteration, rays and hits prepared beforehand."""

from collections.abc import Callable
from dataclasses import replace

import drjit as dr
import mitsuba as mi
import torch

from benchmarks.renderer.workload import Workload, seconds
from handrefine.render.base import HandSurface
from handrefine.render.mitsuba.batched import BatchedRenderer
from handrefine.render.mitsuba.batched.multiview_sensor import sphere_chord
from handrefine.render.mitsuba.batched.tracer import Tracer


def bare_ray_casting(work: Workload) -> Callable[[], float]:
    """A function that casts as many rays as an iteration's estimator and returns its seconds.

    The image casts `spp` camera rays a pixel and, for every hit, one ray a bounce; the gradient casts them anew,
    and two camera rays with their bounces a silhouette sample.
    """
    renderer = BatchedRenderer([work.hand.topology], work.views, replace(work.config, memory_gib=1e3))
    with torch.no_grad():  # leaves the scene in the tracer
        renderer.render([HandSurface(work.verts_world, work.texture)], work.environment, seed=0)
    (tracer,) = renderer._tracers
    scene, sensor, spp = tracer.geometry.scene, tracer.sensor, work.config.spp
    vertices, per_px = tracer.geometry.vertices.values, work.config.edge_samples_per_px
    silhouettes = tracer.silhouettes.sample(vertices, per_px, mi.UInt32(1))
    lanes = dr.arange(mi.UInt32, work.samples)
    rng = mi.PCG32(size=work.samples)
    view, corner = sensor.pixel(lanes // spp)
    jitter = mi.Vector2f(rng.next_float32(), rng.next_float32())
    camera = sensor.ray(view, mi.Point2f(corner + jitter))
    beside = sensor.ray(silhouettes.view, silhouettes.uv_px) if silhouettes is not None else None
    dr.eval(camera, beside)
    hits = scene.ray_intersect_preliminary(camera, coherent=True)
    bounced = _scattered(camera, hits, tracer, rng)
    edge_rays = 0 if beside is None else 2 * dr.width(beside.o)
    bounces = work.config.depth - 1

    def cast() -> float:
        spent = 0.0
        for _ in range(2):  # the image, then its gradient
            spent += seconds(lambda: _query(scene, camera, coherent=True))
            for k in range(bounces):
                spent += seconds(lambda last=k == bounces - 1: _query(scene, bounced, coherent=False, test=last))
        if beside is not None:
            one = seconds(lambda: _query(scene, beside, coherent=True))
            share = edge_rays / max(1, dr.width(bounced.o))
            spent += 2 * one + bounces * share * seconds(lambda: _query(scene, bounced, coherent=False, test=True))
        return spent

    return cast


def _scattered(ray: "mi.Ray3f", hits: "mi.PreliminaryIntersection3f", tracer: Tracer, rng) -> "mi.Ray3f":
    """Rays from the hits into random directions, packed without gaps."""
    index = dr.compress(hits.is_valid())
    d = mi.warp.square_to_uniform_sphere(mi.Point2f(rng.next_float32(), rng.next_float32()))
    o = dr.gather(mi.Point3f, mi.Point3f(ray.o + ray.d * hits.t), index)
    packed = mi.Ray3f(o, dr.gather(mi.Vector3f, d, index))
    packed.o += packed.d * 1e-4
    _, leave = sphere_chord(mi.Vector3f(0), packed.d, tracer.sensor.radius)
    packed.maxt = leave
    dr.eval(packed)
    return packed


def _query(scene: "mi.Scene", ray: "mi.Ray3f", *, coherent: bool, test: bool = False) -> None:
    if test:
        dr.eval(scene.ray_test(ray, coherent=coherent))
        return
    hits = scene.ray_intersect_preliminary(ray, coherent=coherent)
    dr.eval(hits.t, hits.prim_index)

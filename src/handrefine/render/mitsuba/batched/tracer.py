"""The image of a set of views and its gradient, on flat Dr.Jit arrays."""

# Mitsuba's type stubs mix up its own and Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAssignmentType=false, reportOperatorIssue=false, reportReturnType=false

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology
from handrefine.render.base import RenderConfig
from handrefine.render.mitsuba.batched.attached import Attached
from handrefine.render.mitsuba.batched.edge_table import EdgeTable
from handrefine.render.mitsuba.batched.environment_light import Light
from handrefine.render.mitsuba.batched.multiview_sensor import multiview_sensor
from handrefine.render.mitsuba.batched.radiance import World, hand_integrator
from handrefine.render.mitsuba.batched.samples import IndependentSamples, PixelSamples
from handrefine.render.mitsuba.batched.shadow_edges import ShadowEdges
from handrefine.render.mitsuba.batched.silhouette_edges import EdgeSamples, SilhouetteSampler
from handrefine.render.mitsuba.batched.surfaces import Atlas, HandTriangles
from handrefine.render.mitsuba.bridge import Arrays
from handrefine.render.thing_surfaces import ThingSurfaces
from handrefine.views import ViewSet

#: Distance of the two rays on either side of a silhouette, in roundings of a float32 coordinate of the scene.
#: Near a silhouette a mesh seen edge-on folds into many slivers, so a wider distance misses some and biases
#: the gradient (by 6 % at 0.002 px in an image of 48 px).
EDGE_ROUNDINGS = 16.0
#: Arrays of a scene that may carry gradients.
DIFFERENTIABLE = ("vertices", "normals", "texels", "environment", "coefficients")
#: (frames, height, width) of every hand's texture.
TextureSizes = tuple[tuple[int, int, int], ...]


class Tracer:
    """Traces all pixels of its views together. Holds no result; the scene is that of the last image."""

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        first_pixel: int = 0,
        things: ThingSurfaces | None = None,
    ) -> None:
        self.views, self.config, self.n_hands = views, config, len(topologies)
        soup, edges = ([], []) if things is None else ([things.soup], [things.edges])
        self.geometry = HandTriangles([*topologies, *soup], views.n_frames, n_things=len(soup))
        self.sensor = multiview_sensor(views)
        self.integrator = hand_integrator(config.depth, config.shading == "albedo", config.shadow_samples > 0)
        self.silhouettes = SilhouetteSampler(topologies, self.sensor, self.geometry.n_vertices)
        self.shadow_edges = ShadowEdges(
            self.silhouettes.edges if things is None else EdgeTable.of([*topologies, *edges]),
            self.sensor,
            self.integrator,
            self.geometry,
            config.shadow_samples * len(views),
        )
        self._first_pixel = dr.opaque(mi.UInt32, first_pixel)
        self._loaded: object = None

    def load(
        self, token: object, inputs: Arrays, texture_sizes: TextureSizes, attach: Collection[str] = ()
    ) -> dict[str, Attached]:
        """Set the scene and give back its `DIFFERENTIABLE` arrays, those named in `attach` as leaves.

        inputs: see `TracedImage`. The ray tracer's tree is rebuilt unless the last call had the same token.
        """
        arrays = {name: Attached.of(inputs[name].array, attach=name in attach) for name in DIFFERENTIABLE}
        if self._loaded is not token:
            self.geometry.move(arrays["vertices"].values)
            self.geometry.cells = inputs["cells"].array
            self.sensor.place(inputs["view_table"].array, inputs["radius"].array)
            self._loaded = token
        self.geometry.vertices, self.geometry.normals = arrays["vertices"], arrays["normals"]
        self.geometry.atlas = Atlas(arrays["texels"], texture_sizes)
        height, width, _ = inputs["environment"].shape
        light = Light(arrays["environment"], height, width, arrays["coefficients"])
        self.integrator.world = World(self.geometry, light, self.sensor.radius)
        return arrays

    def forget(self) -> None:
        """The scene is about to be another than the last image's."""
        self._loaded = None

    def release(self) -> None:
        """Let go of the gradients of the last image."""
        self.geometry.vertices, self.geometry.normals = Attached(mi.Float(0)), Attached(mi.Float(0))
        self.geometry.atlas = Atlas(Attached(mi.Float(0)), ())
        self.integrator.world, self._loaded = None, None

    def image(self, seed: int) -> list["mi.Float"]:
        """Of every pixel the radiance, three channels, then each hand's coverage."""
        n = self.views.n_pixels
        pixel = dr.arange(mi.UInt32, n)
        share = dr.opaque(mi.Float, 1.0 / self.config.spp)

        def add(sampler: PixelSamples, hit: Hit, total: list) -> list:
            radiance = self.integrator.radiance(hit.pi, hit.ray, mi.Bool(True), sampler)
            hand = self.geometry.hand_of(hit.pi)
            coverage = [dr.select(hand == k, 1.0, 0.0) for k in range(self.n_hands)]
            return [t + c * share for t, c in zip(total, [*radiance, *coverage], strict=True)]

        with dr.suspend_grad():
            total = self._over_samples(pixel, seed, add, [dr.zeros(mi.Float, n) for _ in range(3 + self.n_hands)])
            dr.eval(total)
        return total

    def backpropagate_shading(self, seed: int, gradient: list["mi.Float"]) -> None:
        """Propagate the gradient of the radiance inside visible surfaces to the attached arrays."""
        asked = dr.compress((gradient[0] != 0) | (gradient[1] != 0) | (gradient[2] != 0))
        if dr.width(asked) == 0:
            return
        with dr.suspend_grad():
            adjoint = mi.Vector3f(*(dr.gather(mi.Float, channel, asked) for channel in gradient[:3]))
            adjoint /= dr.opaque(mi.Float, self.config.spp)

            def propagate(sampler: PixelSamples, hit: Hit, total: list) -> list:
                with dr.resume_grad():
                    radiance = self.integrator.radiance(hit.pi, hit.ray, mi.Bool(True), sampler)
                    value = dr.dot(mi.Vector3f(radiance), adjoint)
                    if dr.grad_enabled(value):  # not in albedo images of which only the light is wanted
                        dr.backward_from(value)
                return total

            self._over_samples(asked, seed, propagate, [])

    def backpropagate_silhouettes(self, seed: int, vertices: Attached, gradient: list["mi.Float"]) -> None:
        """Propagate the gradient of what silhouettes uncover as they move to the vertices.

        The value of a pixel changes by (value on the one side - value on the other) a pixel length of silhouette
        and a pixel of motion along its normal.
        """
        samples = self.silhouettes.sample(vertices.values, self.config.edge_samples_per_px, opaque_seed(seed, 2))
        if samples is None:
            return
        key = opaque_seed(seed, 3)
        with dr.suspend_grad():
            uv_px, enlarged = self.sensor.through_lens(samples.view, samples.uv_px)
            pixel = self.sensor.pixel_at(samples.view, uv_px)
            adjoint = [dr.gather(mi.Float, channel, pixel) for channel in gradient]
            point, step = samples.point(Attached(vertices.values)), mi.Float(0)
            for side in (-1.0, 1.0):
                step += -side * self._seen(samples, point, side, key, adjoint)
            step *= samples.px_per_sample * enlarged
        q = self.sensor.project(samples.view, samples.point(vertices))
        dr.backward_from(dr.dot(mi.Vector2f(q.x, q.y) / q.z, samples.normal) * dr.detach(step))

    def backpropagate_shadow_edges(self, seed: int, vertices: Attached, gradient: list["mi.Float"]) -> None:
        """Propagate the gradient of what shadow edges uncover as they move to the vertices."""
        if self.config.shading == "radiance" and self.config.shadow_samples > 0:
            seeds = opaque_seed(seed, 4), opaque_seed(seed, 5)
            self.shadow_edges.backpropagate(vertices, gradient, seeds)

    def _seen(
        self, samples: EdgeSamples, point: "mi.Point3f", side: float, key: "mi.UInt32", adjoint: list["mi.Float"]
    ) -> "mi.Float":
        """Adjoint times what a ray just beside a silhouette sees; both sides use the same random numbers."""
        ray = self.sensor.ray_beside(samples.view, point, samples.normal, side * EDGE_ROUNDINGS)
        pi = self.geometry.seen_first(ray, ray.maxt > 0)

        def hit(pi, ray, lane):
            radiance = self.integrator.radiance(pi, ray, mi.Bool(True), IndependentSamples(lane, key))
            hand = self.geometry.hand_of(pi)
            value = dr.dot(mi.Vector3f(*adjoint[:3]), mi.Vector3f(radiance))
            for k, weight in enumerate(adjoint[3:]):
                value += dr.select(hand == k, weight, 0)
            return value

        lane = dr.arange(mi.UInt32, dr.width(samples.view))
        return dr.if_stmt((pi, ray, lane), pi.is_valid(), hit, lambda pi, ray, lane: mi.Float(0))

    def _over_samples(self, pixel: "mi.UInt32", seed: int, shade: Callable, total: list) -> list:
        """Run `shade` for every sample that hits a hand. A lane is a pixel, so that nothing has to be gathered."""
        view, corner = self.sensor.pixel(pixel)
        key, spp = opaque_seed(seed, 1), self.config.spp
        count = dr.opaque(mi.UInt32, spp)
        stream = pixel + self._first_pixel  # whatever the chunks, a pixel keeps its random numbers

        def step(sample: "mi.UInt32", total: list) -> tuple["mi.UInt32", list]:
            sampler = PixelSamples(stream, sample, spp, key)
            ray = self.sensor.ray(view, corner + sampler.next_2d())
            pi = self.geometry.seen_first(ray, ray.maxt > 0)

            def hit(pi, ray, sample, total):
                sampler = PixelSamples(stream, sample, spp, key, decision=1)
                return shade(sampler, Hit(pi, ray), total)

            total = dr.if_stmt((pi, ray, sample, total), pi.is_valid(), hit, lambda pi, ray, sample, total: total)
            return sample + 1, total

        _, total = dr.while_loop(
            (mi.UInt32(0), total), lambda sample, total: sample < count, step, label="samples of a pixel"
        )
        return total


class TracedImage:
    """A `RenderPass`: one image of a tracer, a part a channel.

    Inputs: those of `DIFFERENTIABLE`, namely
        vertices, normals: (frame, vertex of all hands, 3) in the shared scene.
        texels: of all textures, flat, see `Atlas`.
        environment: (height, width, 3).
        coefficients: of the environment's low order, (coefficient, 3);
    and `cells`, `radius` (`Cells`) and `view_table` (`ViewTable`).
    """

    def __init__(self, tracer: Tracer, texture_sizes: TextureSizes) -> None:
        self._tracer, self._texture_sizes = tracer, texture_sizes

    def render(self, inputs: Arrays, seeds: Sequence[int]) -> list["mi.TensorXf"]:
        """See `RenderPass.render`; one seed."""
        (seed,) = seeds
        self._tracer.load(self, inputs, self._texture_sizes)
        return [mi.TensorXf(channel) for channel in self._tracer.image(seed)]

    def render_backward(
        self,
        inputs: Arrays,
        wanted: Collection[str],
        image_gradient: Sequence["mi.TensorXf"],
        seeds: Sequence[int],
    ) -> Arrays:
        """See `RenderPass.render_backward`; one seed."""
        (seed,), tracer, gradient = seeds, self._tracer, [part.array for part in image_gradient]
        arrays = tracer.load(self, inputs, self._texture_sizes, wanted)
        tracer.backpropagate_shading(seed, gradient)
        if "vertices" in wanted:
            tracer.backpropagate_silhouettes(seed, arrays["vertices"], gradient)
            tracer.backpropagate_shadow_edges(seed, arrays["vertices"], gradient)
        found = {name: mi.TensorXf(arrays[name].gradient(), inputs[name].shape) for name in wanted}
        dr.eval(found)
        tracer.release()
        return found


@dataclass
class Hit:
    pi: "mi.PreliminaryIntersection3f"
    ray: "mi.Ray3f"


def opaque_seed(seed: int, purpose: int) -> "mi.UInt32":
    """Independent seeds for independent purposes; opaque, so that no kernel depends on them."""
    return dr.opaque(mi.UInt32, int(np.random.SeedSequence([seed, purpose]).generate_state(1)[0]))

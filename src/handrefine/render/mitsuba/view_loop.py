"""One view after another by Mitsuba's own integrators, image and gradient. Import after `start_mitsuba()`."""

# Mitsuba's type stubs know neither its Python integrators nor Dr.Jit's array types.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportOperatorIssue=false

from collections.abc import Collection, Sequence

import drjit as dr
import mitsuba as mi
import numpy as np

from handrefine.mesh import MeshTopology
from handrefine.render.base import RenderConfig
from handrefine.render.mitsuba import keys
from handrefine.render.mitsuba.bridge import Arrays
from handrefine.render.mitsuba.first_hit import FirstHit, albedo, hand_colour_code
from handrefine.render.mitsuba.scene import HandScene
from handrefine.render.mitsuba.sensor import Pinhole
from handrefine.render.mitsuba.silhouettes import WeldedSilhouettes
from handrefine.views import View, ViewSet


class ViewLoop:
    """A `RenderPass` over the views of a set: of each its appearance and its coverage, (height, width, 3) each.

    Inputs go by Mitsuba's names of the scene parameters (`keys`), with an axis of frames before those of the
    parameter: as many as the views see, or one for all. The environment is common to all frames and has none.
    Coverage is a colour channel a hand.

    The scene holds one frame at a time and is shared by all images, and Mitsuba differentiates with whatever the
    scene holds when the gradient is asked for. So the backward pass loads every frame again.
    """

    def __init__(self, topologies: Sequence[MeshTopology], views: ViewSet, config: RenderConfig) -> None:
        self._views, self._spp = views.views, config.spp
        self.scene = HandScene(topologies)
        self._sensors = [Pinhole(view.camera) for view in views.views]
        appearance = FirstHit(albedo) if config.shading == "albedo" else _path_integrator(config.depth)
        self._integrators = (appearance, FirstHit(hand_colour_code(self.scene.meshes)))
        for integrator in self._integrators:
            integrator.proj_detail = WeldedSilhouettes(integrator, self.scene.meshes, topologies)
            integrator.sample_border_warning = False  # about wide reconstruction filters; ours is a box

    def render(self, inputs: Arrays, seeds: Sequence[int]) -> "list[mi.TensorXf]":
        """See `RenderPass.render`; one seed a view."""
        images = []
        for view, sensor, seed in zip(self._views, self._sensors, seeds, strict=True):
            self.scene.load(_at(inputs, view))
            opaque = dr.opaque(mi.UInt32, seed)  # so that no kernel depends on it
            drawn = [
                integrator.render(self.scene.scene, sensor, seed=opaque, spp=self._spp)
                for integrator in self._integrators
            ]
            dr.eval(drawn)  # while the scene holds this frame
            images += drawn
        return images

    def render_backward(
        self,
        inputs: Arrays,
        wanted: Collection[str],
        image_gradient: "Sequence[mi.TensorXf]",
        seeds: Sequence[int],
    ) -> Arrays:
        """See `RenderPass.render_backward`; one seed a view."""
        sums = {key: [None] * _frames(key, inputs[key]) for key in wanted}
        by_view = zip(image_gradient[::2], image_gradient[1::2], strict=True)
        for view, sensor, gradients, seed in zip(self._views, self._sensors, by_view, seeds, strict=True):
            leaves = self.scene.load(_at(inputs, view), wanted)
            opaque = dr.opaque(mi.UInt32, seed)
            for integrator, gradient in zip(self._integrators, gradients, strict=True):
                integrator.render_backward(self.scene.scene, None, gradient, sensor, seed=opaque, spp=self._spp)
            for key, leaf in leaves.items():
                frame, found = min(view.frame, len(sums[key]) - 1), dr.ravel(dr.grad(leaf))
                sums[key][frame] = found if sums[key][frame] is None else sums[key][frame] + found
            dr.eval(sums)  # while the scene holds this frame
        return {key: _joined(parts, inputs[key]) for key, parts in sums.items()}


def _frames(key: str, value: "mi.TensorXf") -> int:
    return 1 if key == keys.ENVIRONMENT else value.shape[0]


def _at(inputs: Arrays, view: View) -> "dict[str, mi.Float | mi.TensorXf]":
    """The parameters of the frame that a view sees."""
    values = {}
    for key, value in inputs.items():
        shape = value.shape if key == keys.ENVIRONMENT else value.shape[1:]
        frame, size = min(view.frame, _frames(key, value) - 1), int(np.prod(shape))
        # The frame is opaque to the JIT, so that no kernel depends on it.
        index = dr.arange(mi.UInt32, size) + dr.opaque(mi.UInt32, frame * size)
        flat = dr.gather(mi.Float, value.array, index)
        values[key] = flat if keys.is_flat(key) else mi.TensorXf(flat, shape)
    return values


def _joined(parts: "list[mi.Float | None]", like: "mi.TensorXf") -> "mi.TensorXf":
    """The gradients of all frames, zero for those that no view sees."""
    size = int(np.prod(like.shape)) // len(parts)
    return mi.TensorXf(dr.concat([dr.zeros(mi.Float, size) if x is None else x for x in parts]), like.shape)


def _path_integrator(depth: int) -> mi.ad.integrators.common.ADIntegrator:
    return mi.load_dict(
        {
            "type": "prb_projective",
            "max_depth": depth,
            "rr_depth": depth + 1,  # paths are too short for Russian roulette to pay
            "sppi": 0,  # shadow edges: ten times the cost of all the rest
            "hide_emitters": True,
        },
        optimize=False,  # Mitsuba 3.9.1 crashes when it optimises a scene that is a Python integrator alone
    )

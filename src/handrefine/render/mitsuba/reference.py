"""The reference renderer: projective integrators, one view at a time. Import after `start_mitsuba()`.

Slow and plain: what it draws and derives is the measure for faster renderers.
"""

# Mitsuba's type stubs know neither its Python integrators nor the conversion of other libraries' tensors.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Rendering, check_hands
from handrefine.render.mitsuba import keys
from handrefine.render.mitsuba.first_hit import FirstHit, albedo, hand_colour_code
from handrefine.render.mitsuba.scene import HandScene, SceneTensors, envmap_from_latlong
from handrefine.render.mitsuba.sensor import Pinhole
from handrefine.render.mitsuba.silhouettes import WeldedSilhouettes
from handrefine.views import ViewSet

#: Coverage is rendered as one colour channel a hand.
MAX_HANDS = 3


class ReferenceRenderer:
    """Renders hands of fixed topology into a fixed set of views; see `handrefine.render.base.Renderer`.

    Radiance: `prb_projective` with paths up to `config.depth`. Albedo and coverage: `FirstHit`.
    Visible silhouettes are differentiable (occlusion of one finger by another and of hand by hand included).
    Not differentiable: the motion of shadow edges, so the gradient of *radiance* in a hand's geometry lacks what
    changing self-occlusion contributes; and the motion of edges in the image where the texture jumps at a seam
    of its atlas. Interiors seen through the open wrist look like the outside (two-sided).
    `config.memory_gib` and `config.edge_samples_per_px` do not apply: one view's samples are small, and
    silhouettes get `spp` samples a pixel of the image.

    Raises:
        InputError: more than three hands.
    """

    def __init__(
        self,
        topologies: Sequence[MeshTopology],
        views: ViewSet,
        config: RenderConfig,
        *,
        beside: Renderer | None = None,
    ) -> None:
        del beside  # there is nothing to share
        if not 1 <= len(topologies) <= MAX_HANDS:
            raise InputError(
                f"the reference renderer takes 1 to {MAX_HANDS} hands",
                where="render.backend",
                found=len(topologies),
            )
        self.topologies = tuple(topologies)
        self.views = views
        self.config = config
        self._scene = HandScene(topologies)
        self._sensors = [Pinhole(view.camera) for view in views.views]
        self._appearance = FirstHit(albedo) if config.shading == "albedo" else _path_integrator(config.depth)
        self._coverage = FirstHit(hand_colour_code(self._scene.meshes))
        for integrator in (self._appearance, self._coverage):
            integrator.proj_detail = WeldedSilhouettes(integrator, self._scene.meshes, topologies)
            integrator.sample_border_warning = False  # about wide reconstruction filters; ours is a box

    def render(
        self,
        hands: Sequence[HandSurface],
        environment: Float[Tensor, "height width 3"],
        *,
        seed: int,
    ) -> Rendering:
        """See `handrefine.render.base.Renderer.render`.

        Raises:
            ValueError: hands or frames do not fit the topologies and views of this renderer.
        """
        check_hands(hands, self.topologies, self.views)
        positions, normals, textures = [], [], []
        for hand, topology in zip(hands, self.topologies, strict=True):
            corners = torch.as_tensor(topology.split_to_vertex, device=hand.verts_world.device)
            positions.append(hand.verts_world[:, corners])
            normals.append(vertex_normals(hand.verts_world, topology)[:, corners])
            textures.append(hand.texture)
        images: Tensor = _Render.apply(
            self, seed, envmap_from_latlong(environment), *positions, *normals, *textures
        )  # pyright: ignore[reportAssignmentType]
        rgb, coverage = images[:, :3], images[:, 3 : 3 + len(hands)]
        return Rendering(rgb=rgb, coverage=coverage)

    def _seeds(self, seed: int, view: int) -> tuple[mi.UInt32, mi.UInt32]:
        """Independent seeds of a view's image and its gradient; opaque, so that no kernel depends on them."""
        image, gradient = np.random.SeedSequence([seed, view]).generate_state(2)
        return dr.opaque(mi.UInt32, int(image)), dr.opaque(mi.UInt32, int(gradient))

    def _passes(self) -> tuple[tuple[mi.ad.integrators.common.ADIntegrator, slice], ...]:
        """The integrators and the channels of a view's image that they fill."""
        return (self._appearance, slice(0, 3)), (self._coverage, slice(3, 6))


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


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The tensors of `_Render`, and one frame's share of them."""

    environment: Tensor
    positions: tuple[Tensor, ...]
    normals: tuple[Tensor, ...]
    textures: tuple[Tensor, ...]

    @staticmethod
    def of(environment: Tensor, per_hand: Sequence[Tensor]) -> "_Inputs":
        n = len(per_hand) // 3
        return _Inputs(environment, tuple(per_hand[:n]), tuple(per_hand[n : 2 * n]), tuple(per_hand[2 * n :]))

    def flat(self) -> tuple[Tensor, ...]:
        return (self.environment, *self.positions, *self.normals, *self.textures)

    def at(self, frame: int) -> SceneTensors:
        return SceneTensors(
            positions=[x[frame] for x in self.positions],
            normals=[x[frame] for x in self.normals],
            textures=[x[min(frame, len(x) - 1)] for x in self.textures],
            environment=self.environment,
        )


class _Render(torch.autograd.Function):
    """Pixels of all views with 6 channels (appearance, coverage of up to three hands), and their gradient.

    Not `drjit.wrap`: the scene is shared by all frames and all calls, and Mitsuba differentiates with
    whatever geometry the scene holds when the gradient is asked for. So the backward pass loads it again.
    """

    @staticmethod
    def forward(ctx, renderer: ReferenceRenderer, seed: int, environment: Tensor, *per_hand: Tensor) -> Tensor:
        inputs = _Inputs.of(environment, per_hand)
        ctx.renderer, ctx.seed = renderer, seed
        ctx.save_for_backward(*inputs.flat())
        images = []
        for index, view in enumerate(renderer.views.views):
            renderer._scene.load(inputs.at(view.frame))
            image_seed, _ = renderer._seeds(seed, index)
            channels = [
                integrator.render(
                    renderer._scene.scene, renderer._sensors[index], seed=image_seed, spp=renderer.config.spp
                ).torch()
                for integrator, _ in renderer._passes()
            ]
            images.append(torch.cat(channels, dim=-1).flatten(0, 1))
        return torch.cat(images)

    @staticmethod
    def backward(ctx, grad_images: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        renderer: ReferenceRenderer = ctx.renderer
        inputs = _Inputs.of(ctx.saved_tensors[0], ctx.saved_tensors[1:])
        gradients = _Inputs.of(*_zeros_like(inputs))
        differentiate = frozenset(
            key
            for key, needed in zip(_keys_in_order(len(inputs.positions)), ctx.needs_input_grad[2:], strict=True)
            if needed
        )
        for index, grad_image in enumerate(renderer.views.split(grad_images)):
            frame = renderer.views.views[index].frame
            leaves = renderer._scene.load(inputs.at(frame), differentiate)
            _, gradient_seed = renderer._seeds(ctx.seed, index)
            for integrator, channels in renderer._passes():
                integrator.render_backward(
                    renderer._scene.scene,
                    None,
                    mi.TensorXf(grad_image[..., channels].contiguous()),
                    renderer._sensors[index],
                    seed=gradient_seed,
                    spp=renderer.config.spp,
                )
            totals = gradients.at(frame).by_key()
            for key, leaf in leaves.items():
                totals[key].add_(dr.grad(leaf).torch().reshape(totals[key].shape))
        return (
            None,
            None,
            *(
                gradient if needed else None
                for gradient, needed in zip(gradients.flat(), ctx.needs_input_grad[2:], strict=True)
            ),
        )


def _zeros_like(inputs: _Inputs) -> tuple[Tensor, list[Tensor]]:
    environment, *per_hand = (torch.zeros_like(x) for x in inputs.flat())
    return environment, per_hand


def _keys_in_order(n_hands: int) -> list[str]:
    hands = range(n_hands)
    return [
        keys.ENVIRONMENT,
        *map(keys.positions, hands),
        *map(keys.normals, hands),
        *map(keys.texture, hands),
    ]

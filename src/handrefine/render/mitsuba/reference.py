"""The reference renderer: projective integrators, one view at a time. Import after `start_mitsuba()`.

Slow and plain: what it draws and derives is the measure for faster renderers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.errors import InputError
from handrefine.mesh import MeshTopology, vertex_normals
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Rendering, check_hands, refuse_lenses
from handrefine.render.mitsuba import bridge, keys
from handrefine.render.mitsuba.envmap import envmap_from_latlong
from handrefine.render.mitsuba.view_loop import ViewLoop
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
        InputError: more than three hands, or a camera with a lens.
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
        refuse_lenses((view.camera for view in views.views), "the reference renderer")
        self.topologies = tuple(topologies)
        self.views = views
        self.config = config
        self._loop = ViewLoop(topologies, views, config)

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
        inputs = {keys.ENVIRONMENT: envmap_from_latlong(environment)}
        for k, (hand, topology) in enumerate(zip(hands, self.topologies, strict=True)):
            corners = torch.as_tensor(topology.split_to_vertex, device=hand.verts_world.device)
            inputs[keys.positions(k)] = hand.verts_world[:, corners]
            inputs[keys.normals(k)] = vertex_normals(hand.verts_world, topology)[:, corners]
            inputs[keys.texture(k)] = hand.texture
        seeds, seeds_grad = self._seeds(seed)
        images = bridge.render(self._loop, inputs, seeds=seeds, seeds_grad=seeds_grad)
        rgb, coverage = (torch.cat([image.flatten(0, 1) for image in images[k::2]]) for k in (0, 1))
        return Rendering(rgb=rgb, coverage=coverage[:, : len(hands)])

    def _seeds(self, seed: int) -> tuple[list[int], list[int]]:
        """Independent seeds of every view's image and its gradient."""
        states = [
            np.random.SeedSequence([seed, view]).generate_state(2).tolist() for view in range(len(self.views))
        ]
        return [image for image, _ in states], [gradient for _, gradient in states]

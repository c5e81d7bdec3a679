"""The work that every contender does: one iteration's image and gradient of a synthetic video."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from handrefine.hand.model import HandModel, load_hand_model
from handrefine.render.base import HandSurface, RenderConfig
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.views import View, ViewSet

TEXTURE_SIZE, MAP_HEIGHT = 512, 32


@dataclass(frozen=True, eq=False)
class Workload:
    """Hands, light and views, with fixed weights that stand for the gradient of a loss."""

    hand: HandModel
    views: ViewSet
    verts_world: Tensor
    texture: Tensor
    environment: Tensor
    weights: Tensor
    config: RenderConfig

    @property
    def samples(self) -> int:
        return self.views.n_pixels * self.config.spp

    def leaves(self) -> tuple[Tensor, Tensor, Tensor]:
        """Fresh copies of vertices, texture and environment that collect gradients."""
        tensors = self.verts_world, self.texture, self.environment
        return tuple(t.clone().requires_grad_() for t in tensors)  # pyright: ignore[reportReturnType]


def workload(
    cameras: int, frames: int, size: int, *, spp: int = 4, depth: int = 3, device: torch.device
) -> Workload:
    """A synthetic video of whole images, `size` x `size` pixels."""
    hand = load_hand_model("right")
    truth = make_truth(
        hand,
        hand.default_skin(),
        SyntheticSettings(n_cameras=cameras, n_frames=frames, size=size, texture_size=TEXTURE_SIZE),
    )
    views = ViewSet(tuple(View(k, c) for k in range(frames) for c in truth.cameras.values()))
    basis = sh_basis(latlong_directions(MAP_HEIGHT, 2 * MAP_HEIGHT), 1)
    environment = (basis @ torch.as_tensor(truth.light).float()).clamp(min=0)
    true_verts, texture = (torch.as_tensor(a).float().to(device) for a in (truth.verts_world, truth.texture))
    config = RenderConfig(spp=spp, depth=depth)
    verts = true_verts + torch.tensor([0.004, -0.003, 0.002], device=device)
    work = Workload(
        hand, views, verts, texture[None], environment.to(device), torch.ones(views.n_pixels, 3), config
    )
    return replace(work, weights=_l1_weights(work, true_verts))


def _l1_weights(work: Workload, true_verts: Tensor) -> Tensor:
    """The gradient of an L1 loss against images of the hand 5 mm away: what a refinement sends back."""
    from handrefine.render.mitsuba.batched import BatchedRenderer

    renderer = BatchedRenderer([work.hand.topology], work.views, work.config)
    with torch.no_grad():
        here, there = (
            renderer.render([HandSurface(verts, work.texture)], work.environment, seed=k).rgb
            for k, verts in enumerate((work.verts_world, true_verts))
        )
    return torch.where((here - there).abs() > 0.02, (here - there).sign(), 0.0)


Iteration = Callable[[int], tuple[Tensor, Tensor, Tensor]]


def batched_iteration(work: Workload) -> Iteration:
    """One forward and backward pass of all views together; returns the three gradients."""
    from handrefine.render.mitsuba.batched import BatchedRenderer

    renderer = BatchedRenderer([work.hand.topology], work.views, work.config)

    def iterate(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        verts, texture, environment = work.leaves()
        image = renderer.render([HandSurface(verts, texture)], environment, seed=seed)
        ((image.rgb * work.weights).sum() / work.views.n_pixels).backward()
        return _gradients(verts, texture, environment)

    return iterate


def _gradients(*leaves: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    found = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return found[0], found[1], found[2]


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock time of an action, everything that it started included."""
    import drjit as dr

    dr.sync_thread()
    started = time.perf_counter()
    action()
    dr.sync_thread()
    return time.perf_counter() - started

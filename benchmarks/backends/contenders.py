"""The renderers that are compared, each behind the same function: one image and its gradient, with its costs."""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmarks.renderer.workload import Workload
from handrefine.render.base import HandSurface, RenderConfig, Renderer
from handrefine.render.redner.adapter import RednerRenderer
from handrefine.render.registry import create_renderer
from handrefine.views import ViewSet

#: label -> what the configuration changes
CONTENDERS: dict[str, dict[str, str]] = {
    "batched": {"backend": "batched"},
    "reference": {"backend": "reference"},
    "redner stock": {"backend": "redner", "redner": "stock"},
    "redner fixed": {"backend": "redner", "redner": "fixed"},
}


@dataclass(frozen=True)
class Cost:
    """Of one image and its gradient, all views together; CPU time is of both processes."""

    forward_s: float
    backward_s: float
    cpu_s: float

    @property
    def total_s(self) -> float:
        return self.forward_s + self.backward_s


def contender(label: str, work: Workload, config: RenderConfig, views: ViewSet | None = None) -> Renderer:
    changed = replace(config, **CONTENDERS[label])  # pyright: ignore[reportArgumentType]
    return create_renderer([work.hand.topology], work.views if views is None else views, changed)


def iteration(
    renderer: Renderer, work: Workload, seed: int, weights: Tensor
) -> tuple[Cost, tuple[Tensor, Tensor, Tensor]]:
    """One image, and the gradient of its mean weighted by `weights`, in vertices, texture and light."""
    verts, texture, environment = work.leaves()
    started, cpu = time.perf_counter(), _cpu_s(renderer)
    image = renderer.render([HandSurface(verts, texture)], environment, seed=seed)
    _wait()
    middle = time.perf_counter()
    ((image.rgb * weights).sum() / len(weights)).backward()
    _wait()
    ended = time.perf_counter()
    cost = Cost(middle - started, ended - middle, _cpu_s(renderer) - cpu)
    leaves = verts, texture, environment
    grads = tuple(torch.zeros_like(x) if x.grad is None else x.grad for x in leaves)
    return cost, grads  # pyright: ignore[reportReturnType]


def peak_mib(renderer: Renderer) -> float:
    """Largest resident memory so far of the process that renders (ours: everything that ran before included)."""
    if isinstance(renderer, RednerRenderer):
        return renderer.costs[-1]["peak_mib"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def close(renderers: Sequence[Renderer]) -> None:
    for renderer in renderers:
        if isinstance(renderer, RednerRenderer):
            renderer.close()


def _cpu_s(renderer: Renderer) -> float:
    worker = sum(c["cpu_seconds"] for c in renderer.costs) if isinstance(renderer, RednerRenderer) else 0.0
    return time.process_time() + worker


def _wait() -> None:
    import drjit as dr

    dr.sync_thread()

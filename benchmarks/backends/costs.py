"""Time, CPU time, memory and noise of one image and its gradient, the contenders taking turns."""

import statistics
from dataclasses import asdict

from benchmarks.backends.contenders import CONTENDERS, close, contender, iteration, peak_mib
from benchmarks.renderer.workload import Workload
from handrefine.render.base import RenderConfig
from handrefine.views import ViewSet

#: Views of the renderers that draw one after the other, whose time is proportional to their number.
ONE_BY_ONE = 2


def time_per_view(work: Workload, config: RenderConfig, repeats: int) -> dict:
    """Costs a view; the batched renderer draws all views of the work at once, the others `ONE_BY_ONE` of them."""
    few = ViewSet(work.views.views[:: max(1, len(work.views) // ONE_BY_ONE)][:ONE_BY_ONE])
    views = {label: work.views if label == "batched" else few for label in CONTENDERS}
    renderers = {label: contender(label, work, config, views[label]) for label in CONTENDERS}
    weights = {label: _weights(work, views[label]) for label in CONTENDERS}
    costs: dict[str, list[dict]] = {label: [] for label in CONTENDERS}
    for repeat in range(repeats + 1):
        for label, renderer in renderers.items():
            cost, _ = iteration(renderer, work, repeat, weights[label])
            if repeat > 0:  # the first one compiles
                n = len(views[label])
                costs[label].append({key: value / n for key, value in asdict(cost).items()})
    result = {
        "shading": config.shading,
        "depth": config.depth,
        "spp": config.spp,
        "size": work.views.views[0].camera.width,
        "views": {label: len(v) for label, v in views.items()},
        "costs": costs,
        "peak_mib": {label: peak_mib(renderer) for label, renderer in renderers.items()},
    }
    close(list(renderers.values()))
    return result


def gradient_variance(work: Workload, config: RenderConfig, pairs: int) -> dict[str, list[float]]:
    """Variance of the vertices' gradient over the same few views, from pairs of independent estimates."""
    few = ViewSet(work.views.views[:: max(1, len(work.views) // ONE_BY_ONE)][:ONE_BY_ONE])
    weights = _weights(work, few)
    found = {}
    for label in CONTENDERS:
        renderer = contender(label, work, config, few)
        estimates = [iteration(renderer, work, 500 + k, weights)[1][0] for k in range(2 * pairs)]
        found[label] = [
            float((a - b).square().sum() / 2) for a, b in zip(estimates[::2], estimates[1::2], strict=True)
        ]
        close([renderer])
    return found


def totals_s(sample: dict, label: str) -> list[float]:
    """Forward and backward, a view, of every round."""
    return [c["forward_s"] + c["backward_s"] for c in sample["costs"][label]]


def median_s(sample: dict, label: str) -> float:
    return statistics.median(totals_s(sample, label))


def cpu_s(sample: dict, label: str) -> float:
    """Median CPU time of all threads and both processes, a view."""
    return statistics.median(c["cpu_s"] for c in sample["costs"][label])


def _weights(work: Workload, views: ViewSet):
    """The workload's weights of a part of its views."""
    index = [next(k for k, v in enumerate(work.views.views) if v is view) for view in views.views]
    images = work.views.split(work.weights)
    return views.flatten([images[k] for k in index])

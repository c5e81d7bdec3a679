"""Time, variance and memory of the batched renderer, side by side with its contenders in one run."""

import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Metric, Outcome, finish, options
from benchmarks.renderer.workload import Iteration, batched_iteration, seconds, workload
from handrefine.render.mitsuba.runtime import start_mitsuba

#: (cameras, frames) of every number of views.
VIEWS = {1: (1, 1), 4: (4, 1), 16: (16, 1), 64: (16, 4), 160: (16, 10)}
VARIANCE_PAIRS = 12
#: Images of this size have next to no pixels: what an iteration costs then is its fixed cost.
TINY = 8


def main() -> int:
    chosen = options("The batched renderer against a stock loop over views and bare ray casting.")
    device = start_mitsuba().device
    samples: list[dict[str, object]] = []
    counts = [1, 4, 16] if chosen.quick else list(VIEWS)
    for count in counts:
        samples.append(_versus_stock(count, device, quick=chosen.quick))
        print(_line(samples[-1]), flush=True)
    full = counts[-1]
    samples.append(_alone(full, TINY, 1, device))
    for size in (64, 128) if chosen.quick else (64, 128, 256, 512):
        for spp in (1, 4) if chosen.quick else (1, 4, 16):
            if full * size * size * spp <= 16 * 160 * 128 * 128:
                samples.append(_alone(full, size, spp, device))
                print(_line(samples[-1]), flush=True)
    metrics = _metrics(samples, full)
    return finish("renderer", Outcome(metrics, samples), chosen, _plot)


def _versus_stock(count: int, device: torch.device, *, quick: bool) -> dict[str, object]:
    """Both contenders, interleaved, on the same views."""
    from benchmarks.renderer.rays import bare_ray_casting
    from benchmarks.renderer.stock import stock_iteration

    work = workload(*VIEWS[count], 128, device=device)
    batched, stock, rays = batched_iteration(work), stock_iteration(work), bare_ray_casting(work)
    for warm_up in (batched, stock):
        warm_up(0)
    rays()
    times: dict[str, list[float]] = {"batched": [], "stock": [], "rays": []}
    for repeat in range(2 if quick or count > 64 else 4):
        times["stock"].append(seconds(partial(stock, repeat)))
        for k in range(3):
            times["batched"].append(seconds(partial(batched, 10 * repeat + k)))
            times["rays"].append(rays())
    result: dict[str, object] = {"kind": "versus", "views": count, "size": 128, "spp": 4, "seconds": times}
    if count <= 16:
        result["variance"] = {"batched": _variance(batched), "stock": _variance(stock)}
    result["peak_mib"] = {"batched": _peak_mib(batched), "stock": _peak_mib(stock)}
    return result


def _alone(count: int, size: int, spp: int, device: torch.device) -> dict[str, object]:
    work = workload(*VIEWS[count], size, spp=spp, device=device)
    iteration = batched_iteration(work)
    iteration(0)
    times = [seconds(partial(iteration, k)) for k in range(3)]
    return {
        "kind": "alone",
        "views": count,
        "size": size,
        "spp": spp,
        "samples": work.samples,
        "seconds": {"batched": times},
    }


def _variance(iteration: Iteration) -> list[float]:
    """Variance of the vertices' gradient from pairs of independent estimates; its median bears outliers."""
    gradients = [iteration(1000 + k)[0] for k in range(2 * VARIANCE_PAIRS)]
    pairs = zip(gradients[::2], gradients[1::2], strict=True)
    return [float((a - b).square().sum() / 2) for a, b in pairs]


def _peak_mib(iteration: Iteration) -> float:
    """Largest resident memory during an iteration; 0 where the system does not tell."""
    import drjit as dr

    status = Path("/proc/self/status")
    dr.sync_thread()
    dr.flush_malloc_cache()
    try:
        Path("/proc/self/clear_refs").write_text("5")
        iteration(0)
        return next(int(x.split()[1]) / 1024 for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    except OSError:
        return 0.0


def _median(sample: dict, who: str) -> float:
    return statistics.median(sample["seconds"][who])


def _metrics(samples: list[dict], full: int) -> list[Metric]:
    versus = {s["views"]: s for s in samples if s["kind"] == "versus"}
    largest, varied = versus[full], [s for s in versus.values() if "variance" in s][-1]
    speedup = _median(largest, "stock") / _median(largest, "batched")
    variance = {who: statistics.median(v) for who, v in varied["variance"].items()}
    ratio = variance["batched"] / variance["stock"]
    alone = [s for s in samples if s["kind"] == "alone"]
    fixed = next(_median(s, "batched") for s in alone if s["size"] == TINY)
    slope, deviation = _linear([s for s in alone if s["size"] != TINY])
    return [
        Metric(f"batched.{full}_views", 1000 * _median(largest, "batched"), "ms"),
        Metric(f"stock.{full}_views", 1000 * _median(largest, "stock"), "ms"),
        Metric("speedup", speedup, "x", 15, "higher"),
        Metric("variance_ratio", ratio, "batched / stock", 1.0),
        Metric("speedup_at_equal_variance", speedup / ratio, "x", 25, "higher"),
        Metric("over_bare_ray_casting", _median(largest, "batched") / _median(largest, "rays"), "x", 4),
        Metric("fixed_cost", 1000 * fixed, "ms", 60),
        Metric("time_per_million_samples", 1e9 * slope, "ms"),
        Metric("deviation_from_linear", deviation, "share", 0.15),
        Metric("peak_memory", largest["peak_mib"]["batched"], "MiB"),
        Metric("stock_peak_memory", largest["peak_mib"]["stock"], "MiB"),
    ]


def _linear(samples: list[dict]) -> tuple[float, float]:
    """Seconds a sample, and the worst share off a line beyond a million samples.

    The line is in samples and in contour length (which grows with an image's side, not with its area), fitted
    with relative errors.
    """
    n = np.array([s["samples"] for s in samples], dtype=float)
    contour = np.array([s["views"] * s["size"] for s in samples], dtype=float)
    t = np.array([_median(s, "batched") for s in samples])
    design = np.stack([np.ones_like(n), n, contour], axis=1)
    fit, *_ = np.linalg.lstsq(design / t[:, None], np.ones_like(t), rcond=None)
    large = n > 1e6
    off = np.abs(t / (design @ fit) - 1)[large]
    return float(fit[1]), float(off.max()) if large.any() else 0.0


def _line(sample: dict) -> str:
    times = ", ".join(f"{who} {1000 * _median(sample, who):.0f} ms" for who in sample["seconds"])
    return f"{sample['views']:4d} views {sample['size']:4d} px {sample['spp']:3d} spp: {times}"


def _plot(samples: object, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert isinstance(samples, list)
    versus = [s for s in samples if s["kind"] == "versus"]
    for who, label in (
        ("stock", "stock loop over views"),
        ("batched", "batched"),
        ("rays", "bare ray casting"),
    ):
        left.loglog([s["views"] for s in versus], [_median(s, who) for s in versus], "o-", label=label)
    left.set(xlabel="views (128 x 128 px, 4 spp)", ylabel="seconds an iteration")
    left.legend()
    alone = sorted((s for s in samples if s["kind"] == "alone"), key=lambda s: s["samples"])
    right.loglog([s["samples"] for s in alone], [_median(s, "batched") for s in alone], "o")
    right.set(xlabel="pixels x samples", ylabel="seconds an iteration")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())

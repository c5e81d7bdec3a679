"""Pictures, gradients, time, noise and whole refinements: Redner beside ours, interleaved in one run."""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.backends.agreement import gradients, images
from benchmarks.backends.contenders import CONTENDERS
from benchmarks.backends.costs import gradient_variance, median_s, time_per_view
from benchmarks.backends.refinements import refinements
from benchmarks.harness import Metric, Outcome, finish, options
from benchmarks.renderer.workload import workload
from handrefine.render.base import RenderSettings
from handrefine.render.mitsuba.runtime import start_mitsuba

DMVR = ("radiance", 3, 4, 128)


def main() -> int:
    chosen = options("Redner, stock and fixed, beside our renderers.")
    device, quick = start_mitsuba().device, chosen.quick
    print("images", flush=True)
    small = workload(2, 1, 64 if quick else 128, device=device)
    samples: dict = {"images": images(small, 256 if quick else 4096)}
    print("gradients", flush=True)
    tiny = workload(2, 1, 48, device=device)
    labels = ("wavefront", "redner fixed") if quick else ("wavefront", "redner stock", "redner fixed")
    spp = (32, 128) if quick else (256, 1024)
    samples["gradients"] = gradients(tiny, labels, spp=spp, seeds=4 if quick else 8)
    print("time", flush=True)
    samples["time"] = list(_times(device, quick=quick))
    print("noise", flush=True)
    work = workload(*((4, 1) if quick else (16, 10)), 128, device=device)
    settings = RenderSettings(shading="radiance", depth=3, spp=4)
    samples["variance"] = gradient_variance(work, settings, 4 if quick else 8)
    print("refinements", flush=True)
    samples["refinements"] = refinements(quick=quick)
    return finish("backends", Outcome(_metrics(samples), samples), chosen, _plot)


def _times(device, *, quick: bool) -> Iterator[dict]:
    cases = {("albedo", 2, 4, 128), ("radiance", 2, 4, 128), DMVR}
    if not quick:
        cases |= {("radiance", 3, 4, size) for size in (64, 256)} | {("radiance", 3, n, 128) for n in (1, 16)}
    for shading, depth, spp, size in sorted(cases):
        work = workload(*((16, 1) if quick or size > 128 else (16, 10)), size, device=device)
        sample = time_per_view(work, RenderSettings(shading=shading, depth=depth, spp=spp), 3 if quick else 9)
        line = ", ".join(f"{label} {1000 * median_s(sample, label):.0f} ms" for label in CONTENDERS)
        print(f"{shading} depth {depth}, {spp} spp, {size} px, a view: {line}", flush=True)
        yield sample


def _metrics(samples: dict) -> list[Metric]:
    metrics = []
    for s in samples["images"]:
        # Redner blurs the texture by mipmaps, Mitsuba does not: only the constant skin is judged.
        target = 0.01 if s["skin"] == "constant" else None
        key = f"image.{s['skin']}_skin.depth{s['depth']}"
        metrics.append(Metric(f"{key}.difference", s["difference"], "share", target))
        metrics.append(Metric(f"{key}.noise_alone", s["noise"], "share"))
        metrics.append(Metric(f"{key}.mean_fixed", s["mean_ratio_fixed"], "x ours"))
        metrics.append(Metric(f"{key}.mean_stock", s["mean_ratio_stock"], "x ours"))
    for s in samples["gradients"]:
        error, noise = _deviation(s)
        key = f"gradient.{s['renderer']}.{s['shading']}.{s['variable']}".replace(" ", "_")
        metrics.append(Metric(key, error, f"of the difference, +- {noise:.2g}"))
    for s in samples["time"]:
        case = f"{s['shading']}.depth{s['depth']}.{s['spp']}spp.{s['size']}px"
        metrics += [
            Metric(f"time.{label.replace(' ', '_')}.{case}", 1000 * median_s(s, label), "ms/view")
            for label in CONTENDERS
        ]
    return metrics + _comparisons(samples)


def _comparisons(samples: dict) -> list[Metric]:
    dmvr = next(s for s in samples["time"] if (s["shading"], s["depth"], s["spp"], s["size"]) == DMVR)
    variance = {label: statistics.median(v) for label, v in samples["variance"].items()}
    metrics = []
    for label in ("redner fixed", "redner stock"):
        target = (20, 30) if label == "redner fixed" else (None, None)
        name = label.replace(" ", "_")
        speedup = median_s(dmvr, label) / median_s(dmvr, "wavefront")
        ratio = variance[label] / variance["wavefront"]
        metrics += [
            Metric(f"speedup_over.{name}", speedup, "x", target[0], "higher"),
            Metric(f"variance_over_ours.{name}", ratio, "x"),
            Metric(f"speedup_at_equal_variance.{name}", speedup * ratio, "x", target[1], "higher"),
        ]
    metrics += [Metric(f"peak_memory.{k.replace(' ', '_')}", v, "MiB") for k, v in dmvr["peak_mib"].items()]
    for shading in ("radiance", "albedo"):
        found = {s["renderer"]: s for s in samples["refinements"] if s["shading"] == shading}
        error = {label: s["after"]["vertex_error_mm"] for label, s in found.items()}
        for label, s in found.items():
            key = f"refinement.{shading}.{label.replace(' ', '_')}"
            target = error["redner fixed"] if label == "wavefront" else None
            metrics.append(Metric(f"{key}.error", error[label], "mm", target))
            metrics.append(Metric(f"{key}.time", s["seconds"], "s"))
    return metrics


def _deviation(sample: dict) -> tuple[float, float]:
    """Of the gradient from the finite difference, as a share of the latter; and its standard error."""
    gradient, difference = (np.array(sample[key]) for key in ("gradient", "finite_difference"))
    error = np.hypot(gradient.std(ddof=1), difference.std(ddof=1)) / np.sqrt(len(gradient))
    scale = abs(difference.mean())
    return float(abs(gradient.mean() - difference.mean()) / scale), float(error / scale)


def _plot(samples: object, path: Path) -> None:
    from matplotlib.figure import Figure

    assert isinstance(samples, dict)
    figure = Figure(figsize=(11, 6), layout="constrained")
    (top, bottom) = figure.subplots(2, 4)
    for axes, sample in zip(top, samples["images"], strict=True):
        ours, theirs = (np.array(sample["worst_view"][key]) for key in ("ours", "theirs"))
        shown = axes.imshow(theirs - ours, cmap="RdBu", vmin=-0.1, vmax=0.1)
        axes.set_title(f"fixed - ours: {sample['skin']} skin, depth {sample['depth']}", fontsize=8)
        axes.axis("off")
    figure.colorbar(shown, ax=top[-1])
    for axes, sample in zip(bottom, samples["time"], strict=False):
        axes.bar(range(len(CONTENDERS)), [1000 * median_s(sample, label) for label in CONTENDERS])
        axes.set(yscale="log", ylabel="ms a view")
        axes.set_xticks(range(len(CONTENDERS)), CONTENDERS, rotation=30, fontsize=7)
        axes.set_title(f"{sample['shading']}, depth {sample['depth']}, {sample['size']} px", fontsize=8)
    for axes in bottom[len(samples["time"]) :]:
        axes.axis("off")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())

"""The figures that the samples amount to."""

import statistics
from collections.abc import Iterator

import numpy as np

from benchmarks.backends.contenders import CONTENDERS
from benchmarks.backends.costs import cpu_s, median_s, totals_s
from benchmarks.harness import Metric

#: What a DMVR iteration draws: shading, depth, samples a pixel, pixels a side.
DMVR = ("radiance", 3, 4, 128)
#: Speed-up, and speed-up at equal variance of the gradient.
TARGETS = {"redner fixed": (20, 30), "redner stock": (None, None)}


def metrics(samples: dict) -> list[Metric]:
    return [
        *_images(samples["images"]),
        *_gradients(samples["gradients"]),
        *_times(samples["time"]),
        *_comparisons(samples),
        *_refinements(samples["refinements"]),
    ]


def _images(samples: list[dict]) -> Iterator[Metric]:
    for s in samples:
        # Redner blurs the texture by mipmaps, Mitsuba does not: only the constant skin is judged.
        target = 0.01 if s["skin"] == "constant" else None
        key = f"image.{s['skin']}_skin.depth{s['depth']}"
        yield Metric(f"{key}.difference", s["difference"], "share", target)
        yield Metric(f"{key}.noise_alone", s["noise"], "share")
        yield Metric(f"{key}.mean_fixed", s["mean_ratio_fixed"], "x ours")
        yield Metric(f"{key}.mean_stock", s["mean_ratio_stock"], "x ours")


def _gradients(samples: list[dict]) -> Iterator[Metric]:
    for s in samples:
        error, noise = deviation(s)
        key = f"gradient.{s['renderer']}.{s['shading']}.{s['skin']}_skin.{s['variable']}".replace(" ", "_")
        yield Metric(key, error, f"of the difference, +- {noise:.2g}")


def _times(samples: list[dict]) -> Iterator[Metric]:
    for s in samples:
        case = f"{s['shading']}.depth{s['depth']}.{s['spp']}spp.{s['size']}px"
        for label in CONTENDERS:
            low, high = (1000 * v for v in spread(totals_s(s, label)))
            unit = f"ms/view, quartiles {low:.3g} to {high:.3g}"
            yield Metric(f"time.{label.replace(' ', '_')}.{case}", 1000 * median_s(s, label), unit)
            yield Metric(f"cpu.{label.replace(' ', '_')}.{case}", 1000 * cpu_s(s, label), "ms/view")


def _comparisons(samples: dict) -> Iterator[Metric]:
    dmvr = dmvr_sample(samples)
    variance = {label: statistics.median(v) for label, v in samples["variance"].items()}
    for label, (faster, at_equal_variance) in TARGETS.items():
        name = label.replace(" ", "_")
        # Contenders take turns, so each round is a comparison of its own.
        rounds = [b / a for a, b in zip(totals_s(dmvr, "batched"), totals_s(dmvr, label), strict=True)]
        speedup = statistics.median(rounds)
        ratio = variance[label] / variance["batched"]
        low, high = spread(rounds)
        yield Metric(f"speedup.{name}", speedup, f"x, quartiles {low:.3g} to {high:.3g}", faster, "higher")
        yield Metric(f"speedup_in_cpu_time.{name}", cpu_s(dmvr, label) / cpu_s(dmvr, "batched"), "x")
        yield Metric(f"gradient_variance.{name}", ratio, "x ours")
        yield Metric(f"speedup_at_equal_variance.{name}", speedup * ratio, "x", at_equal_variance, "higher")
    for label, mib in dmvr["peak_mib"].items():
        yield Metric(f"peak_memory.{label.replace(' ', '_')}", mib, "MiB")


def _refinements(samples: list[dict]) -> Iterator[Metric]:
    means = mean_refinements(samples)
    theirs = {method: error_mm for method, renderer, error_mm, _ in means if renderer == "redner fixed"}
    for method, renderer, error_mm, seconds in means:
        key = f"refinement.{method}.{renderer.replace(' ', '_')}"
        target = theirs[method] if renderer == "batched" else None
        yield Metric(f"{key}.error", error_mm, "mm", target)
        yield Metric(f"{key}.time", seconds, "s")


def mean_refinements(samples: list[dict]) -> list[tuple[str, str, float, float]]:
    """Method, renderer, vertex error in mm and seconds, the last two averaged over videos."""
    kinds = dict.fromkeys((s["method"], s["renderer"]) for s in samples)
    found = []
    for method, renderer in kinds:
        of_kind = [s for s in samples if (s["method"], s["renderer"]) == (method, renderer)]
        errors, seconds = [s["after"]["vertex_error_mm"] for s in of_kind], [s["seconds"] for s in of_kind]
        found.append((method, renderer, statistics.mean(errors), statistics.mean(seconds)))
    return found


def dmvr_sample(samples: dict) -> dict:
    return next(s for s in samples["time"] if (s["shading"], s["depth"], s["spp"], s["size"]) == DMVR)


def spread(values: list[float]) -> tuple[float, float]:
    """Lower and upper quartile."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def deviation(sample: dict) -> tuple[float, float]:
    """Of the gradient from the finite difference, as a share of the latter; and its standard error."""
    gradient, difference = (np.array(sample[key]) for key in ("gradient", "finite_difference"))
    error = np.hypot(gradient.std(ddof=1), difference.std(ddof=1)) / np.sqrt(len(gradient))
    scale = abs(difference.mean())
    return float(abs(gradient.mean() - difference.mean()) / scale), float(error / scale)

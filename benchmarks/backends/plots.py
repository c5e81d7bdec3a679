"""One figure of all parts."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.backends.contenders import CONTENDERS
from benchmarks.backends.costs import median_s
from benchmarks.backends.metrics import DMVR, deviation, mean_refinements

COLOURS = dict(zip(CONTENDERS, ("tab:blue", "tab:green", "tab:red", "tab:orange"), strict=True))


def plot(samples: object, path: Path) -> None:
    assert isinstance(samples, dict)
    figure = Figure(figsize=(15, 11), layout="constrained")
    axes = figure.subplots(3, 4)
    for k, sample in enumerate(samples["images"]):
        _difference(axes[0, k], sample, figure)
    _worst(axes[0, 2], samples["images"])
    axes[0, 3].axis("off")
    _shadings(axes[1, 0], samples["time"])
    _over(axes[1, 1], samples["time"], 3, "pixels a side")
    _over(axes[1, 2], samples["time"], 2, "samples a pixel")
    _variance(axes[1, 3], samples["variance"])
    for k, shading in enumerate(("albedo", "radiance")):
        _gradients(axes[2, k], samples["gradients"], shading)
    _refinements(axes[2, 2], axes[2, 3], samples["refinements"])
    figure.savefig(path, dpi=80)


def _difference(axes: Any, sample: dict, figure: Figure) -> None:
    view = {key: np.array(sample["worst_view"][key]) for key in ("ours", "theirs", "inside")}
    inside = view["inside"] > 0
    relative = np.where(inside, view["theirs"] - view["ours"], 0) / view["ours"][inside].mean()
    shown = axes.imshow(100 * relative, cmap="RdBu", vmin=-10, vmax=10)
    rows, columns = np.unravel_index(np.argsort(-np.abs(relative), axis=None)[:10], relative.shape)
    axes.plot(columns, rows, "o", mfc="none", mec="black", ms=7, mew=0.8)
    figure.colorbar(shown, ax=axes, shrink=0.7, label="% of the mean")
    axes.set_title(
        f"fixed - ours, {sample['skin']} skin, depth {sample['depth']}:\n"
        f"{100 * sample['difference']:.2f} % (noise {100 * sample['noise']:.2f} %); circles: 10 worst pixels",
        fontsize=8,
    )
    axes.axis("off")


def _worst(axes: Any, samples: list[dict]) -> None:
    """The image itself, for orientation."""
    axes.imshow(np.array(samples[-1]["worst_view"]["ours"]), cmap="gray")
    axes.set_title("ours, the last of these views", fontsize=8)
    axes.axis("off")


def _shadings(axes: Any, samples: list[dict]) -> None:
    cases = [s for s in samples if (s["spp"], s["size"]) == DMVR[2:]]
    for k, label in enumerate(CONTENDERS):
        for phase, alpha in (("forward_s", 1.0), ("backward_s", 0.5)):
            heights = [1000 * statistics.median(c[phase] for c in s["costs"][label]) for s in cases]
            places = np.arange(len(cases)) + 0.2 * k + (0.0 if phase == "forward_s" else 0.1)
            axes.bar(places, heights, 0.1, color=COLOURS[label], alpha=alpha, label=label if alpha == 1 else None)
    axes.set(yscale="log", ylabel="ms a view", title="forward (full), backward (pale); 128 px, 4 spp")
    axes.set_xticks(
        np.arange(len(cases)) + 0.35, [f"{s['shading']},\ndepth {s['depth']}" for s in cases], fontsize=8
    )
    axes.legend(fontsize=7)
    axes.title.set_fontsize(8)


def _over(axes: Any, samples: list[dict], which: int, name: str) -> None:
    """Time where only one of (shading, depth, spp, size) changes."""
    keys = ("shading", "depth", "spp", "size")
    chosen = [s for s in samples if all(s[k] == DMVR[i] for i, k in enumerate(keys) if i != which)]
    chosen.sort(key=lambda s: s[keys[which]])
    for label in CONTENDERS:
        x, y = [s[keys[which]] for s in chosen], [1000 * median_s(s, label) for s in chosen]
        axes.loglog(x, y, "o-", color=COLOURS[label], label=label)
        axes.set_xticks(x, [str(n) for n in x])
        axes.tick_params(which="minor", labelbottom=False)
    axes.set_xlabel(name)
    axes.set_ylabel("ms a view")
    axes.set_title("radiance, depth 3, forward + backward", fontsize=8)


def _variance(axes: Any, variance: dict) -> None:
    axes.boxplot(list(variance.values()))
    axes.set_yscale("log")
    axes.set_xticks(range(1, len(variance) + 1), list(variance), rotation=20, fontsize=8)
    axes.set_title("variance of the vertices' gradient, 4 spp", fontsize=8)


def _gradients(axes: Any, samples: list[dict], shading: str) -> None:
    chosen = [s for s in samples if s["shading"] == shading]
    ratios = [np.mean(s["gradient"]) / np.mean(s["finite_difference"]) for s in chosen]
    axes.errorbar(ratios, range(len(chosen)), xerr=[3 * deviation(s)[1] for s in chosen], fmt="o", capsize=3)
    axes.axvline(1, color="gray", lw=0.8)
    axes.set_yticks(
        range(len(chosen)), [f"{s['renderer']}: {s['variable']}, {s['skin']}" for s in chosen], fontsize=6
    )
    axes.set_title(f"gradient / finite difference, {shading}; bars: 3 standard errors", fontsize=8)


def _refinements(errors: Any, times: Any, samples: list[dict]) -> None:
    means = mean_refinements(samples)
    names = [f"{method}\n" + renderer.replace(" ", "\n") for method, renderer, _, _ in means]
    colours = [COLOURS[renderer] for _, renderer, _, _ in means]
    bars = errors.bar(names, [error_mm for _, _, error_mm, _ in means], color=colours)
    errors.bar_label(bars, fmt="%.2f")
    errors.set_title(f"refinement from {samples[0]['before']['vertex_error_mm']:.0f} mm: error, mm", fontsize=8)
    bars = times.bar(names, [seconds for _, _, _, seconds in means], color=colours)
    times.bar_label(bars, fmt="%.0f")
    times.set(yscale="log")
    times.set_title("and time, s", fontsize=8)
    for axes in (errors, times):
        axes.tick_params(axis="x", labelsize=7)

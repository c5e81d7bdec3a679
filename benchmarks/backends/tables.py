"""The comparison's tables in Markdown, made of the samples, so that what is told is what was measured."""

import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.backends.contenders import CONTENDERS
from benchmarks.backends.costs import cpu_s, median_s
from benchmarks.backends.metrics import deviation, mean_refinements
from benchmarks.harness import Metric
from benchmarks.provenance import provenance

_COMPARED = ("speedup", "gradient_variance", "peak_memory", "image.")


def tables(samples: dict, metrics: Sequence[Metric]) -> str:
    """All of them, with the machine and the commits."""
    made = ", ".join(f"{name} {commit}" for name, commit in samples["commits"].items())
    return "\n\n".join(
        [
            f"`python -m benchmarks.backends`, {provenance()['machine']}. Commits by part: {made}.",
            "**Time**, ms a view, forward + backward, median of rounds; in brackets CPU time:",
            _times(samples["time"]),
            "**Compared**:",
            _figures(m for m in metrics if m.key.startswith(_COMPARED)),
            "**Gradients** as a share of the finite difference, with the standard error:",
            _gradients(samples["gradients"]),
            "**Refinement**, 4 cameras x 3 frames, from 10 mm; means over videos, each video in brackets:",
            _refinements(samples["refinements"]),
        ]
    )


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _times(samples: list[dict]) -> str:
    def row(s: dict) -> list[str]:
        work = f"{s['shading']}, depth {s['depth']}, {s['spp']} spp, {s['size']} px, {s['views']['batched']} views"
        return [work, *(f"{1000 * median_s(s, label):.0f} ({1000 * cpu_s(s, label):.0f})" for label in CONTENDERS)]

    return _rows(["work", *CONTENDERS], map(row, samples))


def _figures(metrics: Iterable[Metric]) -> str:
    def row(m: Metric) -> list[str]:
        return [m.key, f"{m.value:.3g} {m.unit}", m.bound, m.verdict]

    return _rows(["figure", "value", "target", ""], map(row, metrics))


def _gradients(samples: list[dict]) -> str:
    def row(s: dict) -> list[str]:
        ratio = np.mean(s["gradient"]) / np.mean(s["finite_difference"])
        return [s["variable"], s["skin"], s["shading"], s["renderer"], f"{ratio:.2f} +- {deviation(s)[1]:.2f}"]

    return _rows(["direction", "skin", "shading", "renderer", "gradient / finite difference"], map(row, samples))


def _refinements(samples: list[dict]) -> str:
    def row(method: str, renderer: str, error_mm: float, seconds: float) -> list[str]:
        own = [s for s in samples if (s["method"], s["renderer"]) == (method, renderer)]
        each = ", ".join(f"{s['after']['vertex_error_mm']:.2f}" for s in own)
        spread = f" ± {statistics.stdev(s['after']['vertex_error_mm'] for s in own):.2f}" if len(own) > 1 else ""
        return [method, renderer, f"{error_mm:.2f}{spread} mm ({each})", f"{seconds:.0f} s"]

    return _rows(["method", "renderer", "vertex error", "time"], (row(*of) for of in mean_refinements(samples)))

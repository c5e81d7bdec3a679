"""Images, gradients, time, noise and whole refinements: Redner beside ours, interleaved in one run."""

import sys
import time
from collections.abc import Iterator
from functools import partial

from benchmarks.backends.agreement import gradients, images
from benchmarks.backends.contenders import CONTENDERS
from benchmarks.backends.costs import gradient_variance, median_s, time_per_view
from benchmarks.backends.metrics import DMVR, metrics
from benchmarks.backends.parts import Parts
from benchmarks.backends.plots import plot
from benchmarks.backends.refinements import refinements
from benchmarks.backends.tables import tables
from benchmarks.harness import Outcome, finish, options
from benchmarks.readme import update_section
from benchmarks.renderer.workload import workload
from handrefine.render.base import RenderConfig
from handrefine.render.mitsuba.runtime import start_mitsuba

#: The batched renderer's images take a thirtieth of Redner's time: so many seeds for one of theirs.
CHEAPER_SEEDS = 8


def main() -> int:
    chosen = options("Redner, stock and fixed, beside our renderers.")
    device, quick = start_mitsuba().device, chosen.quick

    def agree() -> list[dict]:
        return images(workload(2, 1, 48, device=device), 128 if quick else 1024)

    def slopes(label: str) -> list[dict]:
        spp, seeds = (64, 3) if quick else (256, 6)
        seeds *= CHEAPER_SEEDS if label == "batched" else 1
        return gradients(workload(2, 1, 48, device=device), label, spp=spp, seeds=seeds)

    def variance() -> dict:
        work = workload(*((4, 1) if quick else (16, 10)), 128, device=device)
        return gradient_variance(work, RenderConfig(shading="radiance", depth=3, spp=4), 3 if quick else 5)

    judged = ["batched", "redner fixed", *([] if quick else ["redner stock"])]
    plan = {
        "time": lambda: list(_times(device, quick=quick)),
        "variance": variance,
        "images": agree,
        **{f"gradients, {label}": partial(slopes, label) for label in judged},
        "refinements": lambda: refinements(size=64, iterations=20 if quick else 40, videos=1 if quick else 2),
    }
    parts = Parts(chosen.results / f"backends{'-quick' if quick else ''}.partial.json")
    samples: dict = {}
    for name, measure in plan.items():
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        samples[name] = parts.get(name, measure)
    samples["gradients"] = [sample for label in judged for sample in samples.pop(f"gradients, {label}")]
    samples["commits"] = parts.commits
    found = metrics(samples)
    if not quick:
        update_section(chosen.results.parent / "README.md", "backends", tables(samples, found))
    videos = sorted({sample["video"] for sample in samples["refinements"]})
    status = finish("backends", Outcome(found, samples, videos), chosen, plot)
    parts.forget()
    return status


def _times(device, *, quick: bool) -> Iterator[dict]:
    cases = [DMVR, ("radiance", 2, 4, 128), ("albedo", 2, 4, 128)]
    if not quick:
        cases += [("radiance", 3, 4, size) for size in (64, 192)] + [("radiance", 3, n, 128) for n in (1, 8)]
    for shading, depth, spp, size in cases:
        judged = (shading, depth, spp, size) == DMVR and not quick
        work = workload(*((16, 10) if judged else (16, 1)), size, device=device)
        repeats = 2 if quick else 7 if judged else 5
        sample = time_per_view(work, RenderConfig(shading=shading, depth=depth, spp=spp), repeats)
        line = ", ".join(f"{label} {1000 * median_s(sample, label):.0f} ms" for label in CONTENDERS)
        print(f"{shading} depth {depth}, {spp} spp, {size} px, a view: {line}", flush=True)
        yield sample


if __name__ == "__main__":
    sys.exit(main())

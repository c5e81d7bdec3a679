"""`python -m benchmarks.cost`: what a refinement takes, against the number of frames and of cameras.

Every video is refined by the defaults, in a process of its own. Peak memory is that of the process, the making of
its video included.
"""

import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Metric, Outcome, finish, parser
from handrefine.config import Config
from handrefine.config_files import changed, load_config
from handrefine.hand.model import load_hand_model
from handrefine.io.files import whole_file
from handrefine.refinement.refine import refine
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.synthetic.truth import SyntheticSettings, make_truth
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import render_images, sequence_in_memory

SIZE_PX, ERROR_MM = 128, 10.0
#: Numbers of frames with FEW_CAMERAS, and of cameras with FEW_FRAMES.
FRAMES, FEW_CAMERAS = (10, 50, 100), 4
CAMERAS, FEW_FRAMES = (4, 16, 64), 10
#: What a frame, or a camera's view of it, may cost in the largest video over that in the smallest.
TARGET = 1.15


@dataclass(frozen=True)
class Sample:
    """What one refinement took."""

    cameras: int
    frames: int
    cpu_s: float
    seconds: float
    peak_memory_mb: float
    error_mm: float


def measure(cameras: int, frames: int, seed: int, preset: str) -> Sample:
    """Invent a video, refine it and compare with the truth."""
    hand = load_hand_model("right")
    settings = SyntheticSettings(n_cameras=cameras, n_frames=frames, size=SIZE_PX, seed=seed)
    truth = make_truth(hand, hand.default_skin(), settings)
    device = start_mitsuba(Config().render.variant).device
    images = render_images([hand], [truth], settings, Config(seed=seed), device)
    annotation = imperfect_annotation(hand, truth, ERROR_MM, seed)
    sequence = sequence_in_memory(truth, images, annotation, masks=True)
    config = changed(load_config(preset), {"seed": seed, "implausible_input": "warn"})
    cpu_began, began = time.process_time(), time.perf_counter()
    result = refine(sequence, "right", config)
    cpu_s, seconds = time.process_time() - cpu_began, time.perf_counter() - began
    off = result.hand("right").after.verts_world - truth.verts_world
    error_mm = 1e3 * float(np.linalg.norm(off, axis=2).mean())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Sample(cameras, frames, cpu_s, seconds, peak_mb, error_mm)


def alone(cameras: int, frames: int, seed: int, preset: str) -> Sample:
    """Measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, cameras, frames, seed, preset).result()


def metrics(samples: Sequence[Sample]) -> list[Metric]:
    by_size = {(of.cameras, of.frames): of for of in samples}
    found = []
    for of in samples:
        key = f"{of.cameras} cameras x {of.frames} frames"
        found.append(Metric(f"{key}, CPU", of.cpu_s, "s"))
        found.append(Metric(f"{key}, peak memory", of.peak_memory_mb, "MB"))
        found.append(Metric(f"{key}, vertex error", of.error_mm, "mm"))
    for name, few, many in (
        ("CPU a frame", (FEW_CAMERAS, FRAMES[0]), (FEW_CAMERAS, FRAMES[-1])),
        ("CPU a view", (CAMERAS[0], FEW_FRAMES), (CAMERAS[-1], FEW_FRAMES)),
    ):
        if few in by_size and many in by_size:
            ratio = (by_size[many].cpu_s / by_size[few].cpu_s) / (many[0] * many[1] / (few[0] * few[1]))
            found.append(Metric(f"{name}, largest video over smallest", ratio, "x", TARGET))
    return found


def plot(samples: Any, path: Path) -> None:
    """CPU time against frames and against cameras, straight lines through the smallest video beside it."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(8, 3.4), layout="constrained")
    for axis, along, kept, many in zip(
        canvas.subplots(1, 2), ("frames", "cameras"), ("cameras", "frames"), (FEW_CAMERAS, FEW_FRAMES), strict=True
    ):
        points = sorted((of[along], of["cpu_s"]) for of in samples if of[kept] == many)
        axis.plot(*zip(*points, strict=True), "o-", label="measured")
        (first, cost), (last, _) = points[0], points[-1]
        axis.plot([first, last], [cost, cost * last / first], "--", color="0.6", label="proportional")
        axis.set(xlabel=along, title=f"{many} {kept}", xlim=(0, None), ylim=(0, None))
        axis.legend()
    canvas.axes[0].set_ylabel("CPU of a refinement, s")
    with whole_file(path) as temporary:
        canvas.savefig(temporary, dpi=130)


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--seed", type=int, default=0, help="tuning seeds are 1000 and up")
    options.add_argument("--preset", default="dmvr", help="settings of the refinement")
    chosen = options.parse_args()
    sizes = sorted({*((FEW_CAMERAS, of) for of in FRAMES), *((of, FEW_FRAMES) for of in CAMERAS)})
    samples = []
    for cameras, frames in sizes:
        samples.append(alone(cameras, frames, chosen.seed, chosen.preset))
        print(samples[-1], flush=True)
    outcome = Outcome(metrics(samples), [asdict(of) for of in samples], [chosen.seed])
    return finish("cost", outcome, chosen, plot)


if __name__ == "__main__":
    sys.exit(main())

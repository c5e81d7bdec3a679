"""`python -m benchmarks.long_video`: one long video as clips that overlap, refined by a batch and merged.

With `--work` clips that are done are kept, so that an interrupted run goes on.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.batch.clips import in_batch, locally
from benchmarks.harness import Metric, Outcome, exit_status, finish, parser
from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.stitch import choices
from handrefine.config import Config
from handrefine.config_files import changed, load_config
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth
from handrefine.synthetic.truth_file import load_truth
from handrefine.synthetic.video import TRUTH_FILE, synthesize

N_CAMERAS, SIZE_PX, ERROR_MM = 8, 128, 10.0
#: What the same video ends at as one piece of 100 frames.
TARGET_MM = 0.20
#: Of a clip's frames: what is used of them without asking for a verdict.
ALL = {"improved", "unchanged", "worse", "beyond repair"}


@dataclass(frozen=True)
class Clip:
    """What one clip's process took."""

    name: str
    frames: int
    cpu_s: float
    memory_mb: float


def make_video(work: Path, frames: int, seed: int) -> Path:
    data = work / f"video-{frames}-{seed}"
    if not data.is_dir():
        settings = SyntheticSettings(n_cameras=N_CAMERAS, n_frames=frames, size=SIZE_PX, seed=seed)
        synthesize(data, ("right",), settings, ERROR_MM, Config(seed=seed))
    return data


def refined(data: Path, out: Path, clip: int, preset: str) -> BatchFolder:
    """All clips, one after the other; no camera is held out, as in the one piece."""
    config = changed(load_config(preset), {"implausible_input": "warn"})
    settings = BatchSettings(data=data, hands=("right",), clip=clip, held_out=(), config=config)
    folder = prepare_batch(settings, out)
    in_batch(folder, locally)
    return folder


def clips_of(folder: BatchFolder) -> list[Clip]:
    """Raises:
    RuntimeError: a clip is not done.
    """
    found = []
    for name in folder.names():
        state, task = folder.state(name), folder.task(name)
        if state.status != "done":
            raise RuntimeError(f"{name} is {state.status}: {state.reason}")
        cpu_s, memory_mb = (float("nan") if of is None else of for of in (state.cpu_seconds, state.peak_memory_mb))
        found.append(Clip(name, len(task.frames), cpu_s, memory_mb))
    return found


def errors_mm(folder: BatchFolder, truth: SyntheticTruth, use: set[str]) -> dict[int, float]:
    """Mean vertex error of every frame, as a merge chooses it; frames that are not used stay as they were."""
    rows, runs = choices(folder, [folder.task(name) for name in folder.names()], use)
    found = {}
    for row in rows:
        run = runs[row.task, row.hand]
        k, at = run.frames.index(row.frame), truth.frames.index(row.frame)
        verts = (run.after if row.used else run.before).verts_world[k]
        found[int(row.frame)] = 1e3 * float(np.linalg.norm(verts - truth.verts_world[at], axis=1).mean())
    return found


def metrics(clips: Sequence[Clip], chosen: dict[int, float], everywhere: dict[int, float]) -> list[Metric]:
    """Cost a frame of the later half of the clips over that of the earlier one: 1 where time is linear."""
    half = len(clips) // 2
    cost = [sum(of.cpu_s for of in part) / sum(of.frames for of in part) for part in (clips[:half], clips[half:])]
    return [
        Metric("frames", len(chosen), ""),
        Metric("clips", len(clips), ""),
        Metric("vertex error as merged", float(np.mean(list(chosen.values()))), "mm", TARGET_MM),
        Metric("of the worst frame", max(chosen.values()), "mm"),
        Metric("vertex error, whatever the verdict", float(np.mean(list(everywhere.values()))), "mm", TARGET_MM),
        Metric("CPU", sum(of.cpu_s for of in clips), "s"),
        Metric("CPU a frame, later half over earlier half", cost[1] / cost[0], "x", 1.2),
        Metric("most memory of a process", max(of.memory_mb for of in clips), "MB"),
        Metric(
            "spread of the memory", max(of.memory_mb for of in clips) - min(of.memory_mb for of in clips), "MB"
        ),
    ]


def measure(frames: int, clip: int, preset: str, seed: int, work: Path) -> Outcome:
    data = make_video(work, frames, seed)
    folder = refined(data, work / f"batch-{frames}-{seed}-{preset}", clip, preset)
    clips, truth = clips_of(folder), load_truth(data / TRUTH_FILE, "right")
    chosen, everywhere = errors_mm(folder, truth, {"improved", "unchanged"}), errors_mm(folder, truth, ALL)
    samples: dict[str, Any] = {
        "clips": [vars(of) for of in clips],
        "error_mm": chosen,
        "error_mm, whatever the verdict": everywhere,
        "preset": preset,
    }
    return Outcome(metrics(clips, chosen, everywhere), samples, [seed])


def main() -> int:
    options = parser(__doc__ or "")
    options.add_argument("--frames", type=int, default=100)
    options.add_argument("--clip", type=int, default=10)
    options.add_argument("--seed", type=int, default=0, help="tuning seeds are 1000 and up")
    options.add_argument("--preset", default="dmvr", help="settings of the refinement")
    options.add_argument("--work", type=Path, help="folder for video and runs")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = chosen.work or Path(scratch)
        return exit_status(
            lambda: finish(
                "long_video", measure(chosen.frames, chosen.clip, chosen.preset, chosen.seed, work), chosen
            )
        )


if __name__ == "__main__":
    sys.exit(main())

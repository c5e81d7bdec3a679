"""Memory stays flat over many iterations and many refinements, and checkpoints cost next to nothing."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from short_schedules import schedule

import handrefine as hr
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.refinement.checkpoints import CheckpointFiles
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

pytestmark = pytest.mark.slow
MIB = 2**20
#: Cameras and frames of the long run, and refinements in one process; smaller ones take minutes on a busy machine.
N_CAMERAS, N_FRAMES = map(int, os.environ.get("HANDREFINE_SOAK_VIDEO", "16x10").split("x"))
N_RUNS = int(os.environ.get("HANDREFINE_SOAK_RUNS", "100"))


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def video(folder: Path, n_cameras: int, n_frames: int, size: int) -> hr.RunResult | Any:
    settings = SyntheticSettings(n_cameras=n_cameras, n_frames=n_frames, size=size, texture_size=64)
    synthesize(folder, ("right",), settings, 10.0, Config(seed=1000))
    return hr.read_interhand26m(folder)


def test_300_iterations_are_flat_and_checkpoints_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule's own batches of views, and the texture at its full size."""
    stages = schedule(coarse=100, joint=200)
    config = config_from_mapping({"crop": {"max_size_px": 64}, "render": {"spp": 4}, "stages": stages})
    memory: list[int] = []
    kept_s: list[float] = []
    keep = CheckpointFiles.keep

    def timed(self: CheckpointFiles, state: Callable[[], hr.RunResult | Any], must: bool) -> None:
        began = time.perf_counter()
        keep(self, state, must)
        kept_s.append(time.perf_counter() - began)

    monkeypatch.setattr(CheckpointFiles, "keep", timed)
    session = hr.Session(
        record=lambda record: memory.append(resident_bytes()), checkpoints=hr.Checkpoints(tmp_path / "kept")
    )
    began = time.perf_counter()
    hr.refine(video(tmp_path / "data", N_CAMERAS, N_FRAMES, 64), "right", config, session=session)
    seconds = time.perf_counter() - began
    n_written = sum(of > 1e-3 for of in kept_s)
    sizes = [path.stat().st_size / MIB for path in (tmp_path / "kept").iterdir()]
    for first, last in ((0, 100), (100, 300)):
        told = [round(memory[k] / MIB) for k in range(first, last, 20)]
        print(f"iterations {first} to {last}: {told} MiB, at the end {round(memory[last - 1] / MIB)}")
    print(f"{n_written} checkpoints of {max(sizes):.1f} MiB took {sum(kept_s):.2f} of {seconds:.0f} s")
    assert memory[99] - memory[30] < 48 * MIB
    assert memory[299] - memory[130] < 48 * MIB
    assert sum(kept_s) < 0.02 * seconds


def test_many_refinements_in_one_process_are_flat(tmp_path: Path) -> None:
    sequence = video(tmp_path / "data", 3, 2, 48)
    config = config_from_mapping({"texture": {"size": 16}, "stages": schedule(texture=1, coarse=1, joint=1)})
    memory = []
    for _ in range(N_RUNS):
        hr.refine(sequence, "right", config)
        gc.collect()
        memory.append(resident_bytes())
    print([round(of / MIB) for of in memory])
    half = len(memory) // 2
    assert memory[-1] - memory[half] < 32 * MIB

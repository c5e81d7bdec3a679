"""What `benchmarks.cost` makes of its samples."""

from dataclasses import asdict
from pathlib import Path

import pytest
from benchmarks.cost import TARGET, Sample, metrics, plot


def samples(cpu_s_of_100_frames: float) -> list[Sample]:
    cpu_s = {(4, 10): 60.0, (4, 50): 300.0, (4, 100): cpu_s_of_100_frames, (16, 10): 240.0, (64, 10): 960.0}
    return [
        Sample(*size, cpu_s=cost, seconds=cost, peak_memory_mb=1.0, error_mm=0.2) for size, cost in cpu_s.items()
    ]


@pytest.mark.parametrize(("of_100_frames_s", "ratio", "reached"), [(600.0, 1.0, True), (900.0, 1.5, False)])
def test_a_cost_that_grows_faster_than_the_frames_is_short(
    of_100_frames_s: float, ratio: float, reached: bool
) -> None:
    found = {of.key: of for of in metrics(samples(of_100_frames_s))}
    frame = found["CPU a frame, largest video over smallest"]
    assert (frame.value, frame.reached) == (pytest.approx(ratio), reached)
    assert found["CPU a view, largest video over smallest"].value == pytest.approx(1)
    assert frame.target == TARGET


def test_the_plot_is_written(tmp_path: Path) -> None:
    path = tmp_path / "cost.png"
    plot([asdict(of) for of in samples(600.0)], path)
    assert path.read_bytes().startswith(b"\x89PNG")

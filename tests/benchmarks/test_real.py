"""Leave-one-camera-out: how its figures count, and a run of it from a dataset to drawings and tables."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.real import experiment
from benchmarks.real.experiment import Options, groups, perform
from benchmarks.real.figures import agreement_change, claims, table, yardstick_table
from rich.console import Console

from handrefine.cli.main import main
from handrefine.errors import InputError


def sample(camera: str, precision: tuple[float, float], contour: tuple[float, float]) -> dict[str, Any]:
    change = lambda pair: dict(zip(("before", "after"), pair, strict=True))  # noqa: E731
    return {
        "held_out": camera,
        "hand": "right",
        "mean": {
            "mask_precision": change(precision),
            "mask_recall": change((0.9, 0.9)),
            "contour_distance_px": change(contour),
            "photometric_error": {"before": None, "after": None},
        },
    }


def test_a_camera_that_gets_worse_shows_behind_a_mean_that_gets_better():
    samples = [sample("00", (0.8, 1.0), (10.0, 6.0)), sample("01", (0.9, 0.86), (10.0, 8.0))]
    by_key = {claim.key: claim for claim in claims(samples)}
    assert by_key["agreement.after"].value == pytest.approx((0.95 + 0.88) / 2)
    assert by_key["agreement.worst_change"].value == pytest.approx(-0.02)
    assert by_key["agreement.worst_change"].reached is False
    assert by_key["contour_distance.reduction"].value == pytest.approx(0.3)
    assert agreement_change(samples[0]) == pytest.approx(0.1)
    assert "| 01 | right | 90.0 -> 86.0 % | 90.0 -> 90.0 % | 10.0 -> 8.0 | - |" in table(samples)


def test_by_the_yardstick_contours_count_as_a_whole_and_precision_camera_by_camera():
    samples = [sample("00", (0.8, 1.0), (10.0, 6.0)), sample("01", (0.9, 0.86), (10.0, 8.0))]
    for of, contour, precision in zip(samples, ((9.0, 3.0), (3.0, 2.0)), ((0.8, 0.9), (0.9, 0.88)), strict=True):
        of["yardstick"] = {
            name: dict(zip(("before", "after"), pair, strict=True))
            for name, pair in (("contour_px", contour), ("iou", (0.7, 0.9)), ("precision", precision))
        } | {"recall": {"before": None, "after": None}}
    by_key = {claim.key: claim for claim in claims(samples)}
    assert by_key["yardstick.contour_reduction"].value == pytest.approx(1 - 5 / 12)
    assert by_key["yardstick.worst_precision_change"].value == pytest.approx(-0.02)
    assert by_key["yardstick.worst_precision_change"].reached is False
    samples[0]["yardstick"]["contour_px"]["own_calibration"] = 1.5
    rows = yardstick_table(samples).splitlines()
    assert rows[2] == "| 00 | right | 9.0 -> 3.0 | 1.5 | 70.0 -> 90.0 % | 80.0 -> 90.0 % | - |"
    assert rows[3] == "| 01 | right | 3.0 -> 2.0 | - | 70.0 -> 90.0 % | 90.0 -> 88.0 % | - |"
    assert rows[-1] == "| **mean** | right | 6.0 -> 2.5 | 1.5 | 70.0 -> 90.0 % | 85.0 -> 89.0 % | - |"


def test_cameras_that_are_held_out_together_are_far_apart():
    assert groups([str(k) for k in range(5)], 2) == [["0", "3"], ["1", "4"], ["2"]]
    assert groups(["a", "b"], 1) == [["a"], ["b"]]


def test_without_masks_there_is_nothing_to_claim():
    unknown = sample("00", (0, 0), (0, 0))
    unknown["mean"] = {name: {"before": None, "after": None} for name in unknown["mean"]}
    assert claims([unknown]) == []
    assert agreement_change(unknown) is None


def test_a_run_leaves_figures_drawings_and_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data, results = tmp_path / "data", tmp_path / "benchmarks" / "results"
    size = ["--n-cameras", "3", "--n-frames", "1", "--size", "32", "--truth-kind", "mismatched"]
    main(["synthesize", "--out", str(data), *size])
    config = tmp_path / "quick.yaml"
    stages = ("environment", "texture", "coarse", "again", "joint", "finish")
    others = ", ".join(f"{name}: {{iterations: 1}}" for name in stages)
    config.write_text(f"texture: {{size: 64}}\nrender: {{spp: 1}}\nstages: {{{others}}}\n")
    monkeypatch.setattr(sys, "argv", ["real"])
    names = experiment.read_dataset(data).cameras
    camera = list(names)[1]
    yardstick = tmp_path / "outlines.json"
    right, left = (
        {"rings": [[[0, 0], [size, 0], [size, size], [0, size]]], "wrist": None, "forearm": []}
        for size in (999, 1)
    )
    yardstick.write_text(json.dumps({"views": {camera: {"right": right, "left": left, "unsure": []}}}))
    options = Options(
        capture=data, hand="right", config=config, only=(camera,), results=results, yardstick=yardstick
    )
    assert perform(options, Console(quiet=True)) == 0
    document = json.loads((results / "real.json").read_text())
    (only,) = document["samples"]
    assert only["held_out"] == list(names)[1]
    assert set(only["fitted"]) == set(names) - {only["held_out"]}
    assert only["mean"]["mask_recall"]["after"] is not None
    assert 0 < only["yardstick"]["iou"]["after"] < 1
    assert (results / "real.png").stat().st_size > 1000
    assert f"| {only['held_out']} | right |" in (tmp_path / "benchmarks" / "README.md").read_text()
    with pytest.raises(InputError, match="camera"):
        perform(Options(capture=data, hand="right", only=("nowhere",), results=results), Console(quiet=True))

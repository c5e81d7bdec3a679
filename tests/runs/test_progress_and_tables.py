"""Curves, table and progress show what the records and metrics say."""

import io
import math

import cv2
import matplotlib
import numpy as np
import pytest
from rich.console import Console

from handrefine.cli.progress import LogProgress, RichProgress, describe, progress_for
from handrefine.cli.tables import before_after_table, holdout_table
from handrefine.cli.time_left import PlannedStage
from handrefine.progress import SilentProgress
from handrefine.runs.loss_curves import loss_curves

METRICS = {
    "vertex_error_mm": {"before": 10.0, "after": 1.234},
    "joint_error_mm": {"before": None, "after": None},
    "reprojection_px": {"before": 2.0, "after": 2.5},
    "mask_precision": {"before": 0.8, "after": 0.925},
    "mask_recall": {"before": None, "after": float("nan")},
    "texture_psnr_db": {"before": 20.0, "after": 28.04},
    "seconds": 12.0,
    "version": "0.1.0",
}


def records(with_error: bool) -> list[dict[str, object]]:
    stages = ["environment"] * 3 + ["joint"] * 9
    return [
        {
            "iteration": k,
            "stage": stage,
            "loss": math.nan if k == 4 else math.exp(-k),
            "terms": {"data": 0.9 * math.exp(-k), "prior": 0.0},
            **({"vertex_error_mm": 10.0 - k / 2} if with_error else {}),
        }
        for k, stage in enumerate(stages)
    ]


@pytest.mark.parametrize("case", ["no error", "error", "one record", "empty"])
def test_loss_curves_are_a_picture(tmp_path, case):
    before = dict(matplotlib.rcParams)
    rows = {"one record": records(True)[:1], "empty": []}.get(case, records(case == "error"))
    loss_curves(rows, tmp_path / "loss.png")
    picture = cv2.imread(str(tmp_path / "loss.png"))
    assert picture is not None
    assert 600 <= picture.shape[1] <= 1600
    assert (picture.shape[0] > 700) == (case in ("error", "one record"))
    assert (picture[0, 0] == 255).all()
    if case in ("error", "no error"):
        assert (np.ptp(picture.reshape(-1, 3).astype(int), axis=1) > 60).sum() > 500  # coloured lines
    assert dict(matplotlib.rcParams) == before
    assert [p.name for p in tmp_path.iterdir()] == ["loss.png"]


def shown(table) -> dict[str, list[str]]:
    stream = io.StringIO()
    Console(file=stream, width=100).print(table)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in stream.getvalue().splitlines()]
    return {row[0]: row[1:] for row in rows if row}


def test_table_names_units_and_changes():
    rows = shown(before_after_table(METRICS))
    assert rows["mean vertex error"] == ["10.00 mm", "1.23 mm", "-87.7 %"]
    assert rows["mean reprojection error"] == ["2.00 px", "2.50 px", "+25.0 %"]
    assert rows["mask precision"] == ["80.0 %", "92.5 %", "+12.5 points"]
    assert rows["texture PSNR"] == ["20.0 dB", "28.0 dB", "+8.0 dB"]
    assert not {"mean joint error", "mask recall"} & set(rows), "nothing is known of these"


def test_table_colours_say_better_or_worse():
    changes = list(before_after_table(METRICS).columns[3].cells)
    assert str(changes[0]).startswith("[green]")
    assert str(changes[1]).startswith("[red]")
    assert str(changes[2]).startswith("[green]")
    assert str(changes[3]).startswith("[green]")


def test_measures_that_no_held_out_camera_has_are_left_out():
    row = {"camera": "04", "mask_recall": {"before": None, "after": None}}
    known = {"before": 0.1, "after": 0.05}
    table = holdout_table({"cameras": [{**row, "photometric_error": known}], "mean": {"photometric_error": known}})
    assert [column.header for column in table.columns] == ["camera", "photometric error"]


JOINT = {"joint": PlannedStage(100)}


def run_through(progress, iterations: int) -> None:
    progress.part("labels")
    progress.stage("joint", iterations)
    for k in range(iterations):
        progress.update({"iteration": k, "stage": "joint", "loss": 0.5 / (k + 1), "vertex_error_mm": 10.0 - k})
    progress.part("report")
    progress.close()


def test_log_progress_writes_every_ten_iterations_and_the_last():
    lines: list[str] = []
    run_through(LogProgress(JOINT, write=lines.append, clock=lambda: 0.0), 25)
    assert [line.split("  ")[0] for line in lines] == [
        "cropping and labelling the images",
        "joint: 25 iterations",
        "joint 10/25",
        "joint 20/25",
        "joint 25/25",
        "writing the report",
    ]
    assert "loss 0.05  vertex 1.00 mm" in lines[2]


def test_log_progress_writes_every_ten_seconds_and_tells_the_time_left():
    lines: list[str] = []
    now = [0.0]
    progress = LogProgress(JOINT, lines.append, clock=lambda: now[0])
    progress.stage("joint", 5)
    for k in range(5):
        now[0] += 6
        progress.update({"iteration": k, "stage": "joint", "loss": 0.5})
    assert [line.split("  ")[0] for line in lines[1:]] == ["joint 2/5", "joint 4/5", "joint 5/5"]
    left = lines[3].split("  ")[2]
    assert left.startswith("11 min 02 s")  # 95 of 100 at 6 s, and 23 units of 6 / 1.5 s


def test_rich_progress_shows_loss_and_error():
    stream = io.StringIO()
    run_through(RichProgress(JOINT, Console(file=stream, force_terminal=True, width=120)), 5)
    assert "loss 0.1" in stream.getvalue()
    assert "vertex 6.00 mm" in stream.getvalue()
    assert "5/5" in stream.getvalue()
    assert "writing the report" in stream.getvalue()


def test_reporter_fits_the_output():
    assert isinstance(progress_for(Console(force_terminal=True), JOINT), RichProgress)
    assert isinstance(progress_for(Console(file=io.StringIO()), JOINT), LogProgress)
    run_through(SilentProgress(), 3)
    RichProgress(JOINT, Console(file=io.StringIO())).close()


def test_describe_leaves_out_what_is_not_known():
    assert describe({"iteration": 3, "stage": "joint", "loss": 0.25}) == "loss 0.25"

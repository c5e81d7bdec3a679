"""One job from a dataset to a run folder, as a task and from Python; and a finished run judged again."""

import json
import logging
import shutil
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from short_schedules import schedule
from tiny_interhand26m import write_dataset

import handrefine as hr
from handrefine.cli.exit_codes import NOT_BETTER
from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.evaluate_run import evaluate_on_cameras
from handrefine.pipeline import read_task, run_task
from handrefine.refinement.refine import refine
from handrefine.runs import writer
from handrefine.runs.layout import RunLayout
from handrefine.runs.reader import open_run
from handrefine.runs.result import RunResult
from handrefine.sequence import Side
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize
from handrefine.task import Task

CONFIG = {"texture": {"size": 16}, "schedule": schedule(environment=1, texture=1, joint=1)}
BOTH: tuple[Side, Side] = ("right", "left")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hands before three cameras."""
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=3, n_frames=1, size=56, texture_size=64)
    synthesize(folder, BOTH, settings, 10.0, Config())
    return folder


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, RunResult]]:
    """By the number of hands: a run folder and the result, with camera 01 held out."""
    made = {}
    for sides in (BOTH[:1], BOTH):
        out = tmp_path_factory.mktemp("runs") / "run"
        task = Task(data=data, out=out, hands=sides, held_out=("01",), config=config_from_mapping(CONFIG))
        made[len(sides)] = out, run_task(task)[0]
    return made


def warn(_: object) -> dict[str, float]:
    """A monitor with something to say in every iteration."""
    logging.getLogger("handrefine.made_up").warning("made up")
    return {}


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("sides", [BOTH[:1], pytest.param(BOTH, marks=pytest.mark.slow)])
def test_python_and_a_task_write_the_same_files(data: Path, tmp_path: Path, sides: tuple[Side, ...]) -> None:
    config = config_from_mapping(CONFIG)
    sequence = hr.read_interhand26m(data)
    monitors = dict.fromkeys(sides, warn)
    run_task(Task(data=data, out=tmp_path / "task", hands=sides, config=config), monitors=monitors)
    hr.save_run(refine(sequence, sides, config, monitors=monitors), sequence, tmp_path / "python")
    assert files_of(tmp_path / "python") == files_of(tmp_path / "task") - {"task.json", "provenance.json"}
    assert {"report.html", "warnings.json", "metrics.json"} <= files_of(tmp_path / "python")
    for folder in ("task", "python"):
        warnings = json.loads((tmp_path / folder / "warnings.json").read_text())
        count = warnings["made up"]
        assert count >= 3
        page = open_run(tmp_path / folder).hands[0].layout.report
        assert f"made up <small>({count} times)</small>" in page.read_text()


def test_a_task_can_be_stored(data: Path) -> None:
    task = Task(
        data=data,
        out=Path("run"),
        format="interhand26m",
        sequence="synthetic",
        hands=BOTH,
        cameras=("00", "02"),
        held_out=("01",),
        frames="0:9",
        overwrite=True,
        config=config_from_mapping({**CONFIG, "hand": {"model_file": "MANO_RIGHT.pkl"}}),
    )
    assert Task.from_mapping(json.loads(json.dumps(task.to_mapping()))) == task
    small = Task.from_mapping({"data": "a", "out": "b", "config": {"seed": 3}})
    assert small == Task(data=Path("a"), out=Path("b"), config=Config(seed=3))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"camera": ["00"]}, "unknown names"),
        ({"out": None}, "lacks names"),
        ({"hands": ["middle"]}, "no such hands"),
        ({"hands": []}, "no such hands"),
        ({"cameras": "00,01"}, "no list of names"),
        ({"frames": [3]}, "frames of a task"),
        ({"config": {"seeed": 1}}, "did you mean seed"),
    ],
)
def test_a_wrong_task_is_told(wrong: dict[str, Any], told: str) -> None:
    values = {"data": "a", "out": "b", **wrong}
    with pytest.raises(InputError, match=told) as caught:
        Task.from_mapping({name: value for name, value in values.items() if value is not None}, where="tasks.json")
    assert "tasks.json" in str(caught.value)


def test_a_task_reads_the_frames_that_it_names(tmp_path: Path) -> None:
    """By the dataset's numbers, whose gaps are its own."""
    data = write_dataset(tmp_path / "data")  # frames 3, 7 and 12
    sequence, held_out = read_task(Task(data=data, out=tmp_path / "run", frames="7:", held_out=("400262",)))
    assert held_out is not None
    assert sequence.frames == held_out.frames == (7, 12)
    assert set(sequence.images) == {(0, "410001"), (1, "410001")}
    with pytest.raises(InputError, match="no such frame") as caught:
        read_task(Task(data=data, out=tmp_path / "run", frames="7,8"))
    assert "0000_fist" in str(caught.value)


def test_a_task_takes_the_cameras_that_see_most(data: Path, tmp_path: Path) -> None:
    task = Task(data=data, out=tmp_path / "run", cameras=("auto:2",), config=config_from_mapping(CONFIG))
    result, metrics = run_task(task)
    assert len(result.cameras) == 2
    assert open_run(task.out).configuration["cameras"] == [of.camera.name for of in result.cameras]
    assert metrics["iterations"] == 3


def test_an_image_or_a_report_that_fails_costs_only_itself(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such luck")

    for name in ("loss_curves", "contact_sheet"):
        monkeypatch.setattr(writer, name, fails)
    monkeypatch.setattr("handrefine.report.write.write_report_of_hand", fails)
    task = Task(data=data, out=tmp_path / "run", config=config_from_mapping(CONFIG))
    result, _ = run_task(task)
    layout = RunLayout(task.out)
    assert not any(path.exists() for path in (layout.loss_curves, layout.overview, layout.report))
    assert layout.annotation.exists()
    assert len(list(layout.overlays.iterdir())) == 3
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"] * 3
    assert result.unwritten == ("loss.png", "overlays", "report.html")
    for name in result.unwritten:
        assert f"{name} could not be written; the run goes on without it" in open_run(task.out).warnings


def test_the_annotation_is_written_before_anything_is_judged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("handrefine.pipeline.judge", fails)
    with pytest.raises(RuntimeError):
        run_task(Task(data=data, out=tmp_path / "run", config=config_from_mapping(CONFIG)))
    partial = tmp_path / ".run.partial"
    assert (partial / "annotation.npz").exists()
    assert not (partial / "dataset").exists()


def test_a_folder_that_is_removed_while_the_run_goes_on_costs_its_checkpoints_alone(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(data=data, out=tmp_path / "run", config=config_from_mapping(CONFIG))
    result, _ = run_task(replace(task, out=tmp_path / "usual"))

    def remove(_: object) -> dict[str, float]:
        shutil.rmtree(tmp_path / ".run.partial", ignore_errors=True)
        return {}

    run_task(task, monitors={"right": remove})
    assert "was removed while the run went on" in caplog.text
    assert files_of(tmp_path / "run") == files_of(tmp_path / "usual")
    assert len(open_run(task.out).hands[0].records) == len(result.records)
    run_task(replace(task, overwrite=True))


def test_a_diverged_hand_is_not_written_back_unless_that_is_insisted_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rates of a whole radian and metre throw the hand out of the pictures."""
    config = tmp_path / "wild.yaml"
    rates = dict.fromkeys(("rotation", "translation", "articulation"), 1.0)
    wild = {"schedule": schedule(joint=3), "learning_rates": rates, "optimizer": {"geometry": "adam"}}
    config.write_text(json.dumps({**CONFIG, **wild}))
    for insist in ([], ["--accept-worse"]):
        out = tmp_path / f"run{len(insist)}"
        command = ["refine", "--data", str(data), "--out", str(out), "--config", str(config), *insist]
        code = 0
        try:
            main(command)
        except SystemExit as end:
            code = int(end.code or 0)
        assert code == (0 if insist else NOT_BETTER)
        assert (out / "annotation.npz").exists()
        assert (out / "dataset").exists() == bool(insist)
        (reason,) = json.loads((out / "metrics.json").read_text())["against"]
        assert "explains the images worse" in reason
        assert reason in open_run(out).warnings
        assert escape(reason) in (out / "report.html").read_text()
        assert ("NOT AN IMPROVEMENT" in capsys.readouterr().out) != bool(insist)


def test_a_run_ends_with_no_reason_against_it(runs: dict[int, tuple[Path, RunResult]]) -> None:
    for out, result in runs.values():
        assert json.loads((out / "metrics.json").read_text())["against"] == []
        assert result.unwritten == ()
        assert (out / "dataset").exists()


@pytest.mark.parametrize("n_hands", [1, 2])
def test_a_finished_run_is_judged_on_a_camera_as_if_it_had_been_held_out(
    runs: dict[int, tuple[Path, RunResult]], data: Path, tmp_path: Path, n_hands: int
) -> None:
    """The same masks and contours, and the photometric error up to the 8 bits of the stored texture."""
    run = shutil.copytree(runs[n_hands][0], tmp_path / "run")
    before = {str(path.relative_to(run)): json.loads(path.read_text()) for path in run.rglob("holdout.json")}
    assert len(before) == (1 if n_hands == 1 else 3)
    stale = (run if n_hands == 1 else run / "left") / "holdout"
    sheets = {path.name for path in stale.iterdir()}
    for path in run.rglob("holdout.json"):
        path.write_text("{}")
    evaluate_on_cameras(run, data)
    for name, then in before.items():
        now = json.loads((run / name).read_text())
        assert [entry["camera"] for entry in now["cameras"]] == ["01"]
        for figure, change in then["mean"].items():
            # Half a level of 8-bit sRGB is 0.002 in linear light where a texture begins.
            off = 3e-3 if figure == "photometric_error" else 1e-9
            assert now["mean"][figure] == pytest.approx(change, abs=off), figure
        metrics = json.loads((run / name).with_name("metrics.json").read_text())
        assert metrics["holdout"] == now["mean"]
    assert {path.name for path in stale.iterdir()} == sheets
    assert "held out" in (stale.parent / "report.html").read_text()


def test_cameras_that_the_fit_has_seen_cannot_judge_it(
    runs: dict[int, tuple[Path, RunResult]], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="has seen these cameras"):
        evaluate_on_cameras(runs[1][0], data, ["00", "01"])
    with pytest.raises(InputError, match="no camera 99"):
        evaluate_on_cameras(runs[1][0], data, ["99"])
    task = Task(data=data, out=tmp_path / "all", config=config_from_mapping(CONFIG))
    run_task(task)
    with pytest.raises(InputError, match="every camera"):
        evaluate_on_cameras(task.out, data)


def test_another_video_cannot_judge_it(runs: dict[int, tuple[Path, RunResult]], tmp_path: Path) -> None:
    settings = SyntheticSettings(n_cameras=3, n_frames=1, size=32, texture_size=64, seed=1)
    synthesize(tmp_path / "other", ("right",), settings, 10.0, Config())
    with pytest.raises(InputError, match="lacks frames"):
        evaluate_on_cameras(runs[1][0], tmp_path / "other")


def test_refined_frames_are_found_by_their_numbers(runs: dict[int, tuple[Path, RunResult]], data: Path) -> None:
    """Written back into a video whose frames stand elsewhere, and of which some were not refined."""
    hand = runs[1][1].hands[0]
    video = hr.read_interhand26m(data)
    longer = replace(
        video,
        frames=(0, *video.frames),  # pyright: ignore[reportArgumentType]
        annotations={"right": replace(video.annotation("right"), mano=None, mano_valid=None, joints_world=None,
                                      joint_valid=None)},
    )  # fmt: skip
    refined = hr.refined_annotation(hand, longer)
    assert refined.mano_valid is not None
    assert refined.mano_valid.tolist() == [False, True]
    assert refined.mano is not None
    assert (refined.mano.pose_aa[1] == hand.after.mano.pose_aa[0]).all()

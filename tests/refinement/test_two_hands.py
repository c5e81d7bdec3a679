"""Both hands in one optimisation: recovery, write-back, held-out cameras, a missing hand, what is shared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from short_schedules import schedule

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.evaluate_run import evaluate_against_truth
from handrefine.evaluation.held_out import measure_holdout, split_off
from handrefine.evaluation.monitors import error_monitor
from handrefine.hand.model import load_hand_model, mirrors
from handrefine.pipeline import run_task
from handrefine.refinement.problem import prepare
from handrefine.refinement.refine import refine
from handrefine.runs.result import RunResult
from handrefine.runs.write_back import refined_annotation
from handrefine.sequence import HandSequence, Side
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.truth_file import load_truth
from handrefine.synthetic.video import synthesize
from handrefine.task import Task

BOTH: tuple[Side, Side] = ("right", "left")
HELD_OUT = "04"


def config(iterations: int, **more: object) -> Config:
    few = min(iterations, 4)
    stages = schedule(environment=few, texture=few, joint=iterations)
    return config_from_mapping({"texture": {"size": 64}, "stages": stages, **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both") / "data"
    settings = SyntheticSettings(n_cameras=5, n_frames=2, size=64, texture_size=128)
    synthesize(folder, BOTH, settings, 10.0, Config())
    return folder


@pytest.fixture(scope="module")
def sequence(data: Path) -> HandSequence:
    return read_interhand26m(data)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """One run of both hands, with a held-out camera; the folder and the result."""
    out = tmp_path_factory.mktemp("run") / "run"
    monitors = {side: error_monitor(load_truth(data / "truth.npz", side)) for side in BOTH}
    task = Task(data=data, out=out, hands=BOTH, held_out=(HELD_OUT,), config=config(35))
    result, _ = run_task(task, monitors=monitors)
    evaluate_against_truth(out, data / "truth.npz")
    return out, result


def test_both_hands_come_closer(run: tuple[Path, RunResult]) -> None:
    metrics = json.loads((run[0] / "metrics.json").read_text())
    errors = [metrics["hands"][side]["vertex_error_mm"] for side in ("right", "left")]
    for error in errors:
        assert error["before"] == pytest.approx(10.0, abs=0.01)
        assert error["after"] < 5.0
    mean = np.mean([error["after"] for error in errors])
    assert metrics["vertex_error_mm"]["after"] == pytest.approx(mean)


def test_every_hand_has_a_complete_run_folder(run: tuple[Path, RunResult]) -> None:
    out, result = run
    for side in BOTH:
        for name in (
            "config.yaml", "annotation.npz", "texture.png", "environment.exr", "colour.json", "metrics.json",
            "log.jsonl", "loss.png", "overview.png", "report.html", "holdout.json",
        ):  # fmt: skip
            assert (out / side / name).stat().st_size > 0, name
        assert len(list((out / side / "overlays").glob("*.png"))) == 8
        last = json.loads((out / side / "log.jsonl").read_text().splitlines()[-1])
        error_mm = json.loads((out / side / "metrics.json").read_text())["vertex_error_mm"]["after"]
        assert last["vertex_error_mm"] == pytest.approx(error_mm, abs=0.2)
    assert {view.camera for view in result.hand("left").views} == {"00", "01", "02", "03"}


def test_both_annotations_are_written_back(run: tuple[Path, RunResult], data: Path) -> None:
    out, result = run
    again = read_interhand26m(data, refined=out / "dataset")
    for hand in result.hands:
        mano = again.annotation(hand.side).mano
        assert mano is not None
        np.testing.assert_allclose(mano.pose_aa, hand.after.mano.pose_aa, atol=1e-9)
        np.testing.assert_allclose(mano.trans_m, hand.after.mano.trans_m, atol=1e-9)
        np.testing.assert_allclose(mano.shape, hand.after.mano.shape, atol=1e-9)


def test_a_held_out_camera_sees_the_gain(run: tuple[Path, RunResult]) -> None:
    report = json.loads((run[0] / "holdout.json").read_text())
    assert [(entry["camera"], entry["frame"]) for entry in report["cameras"]] == [(HELD_OUT, None)]
    mean = report["mean"]
    assert mean["contour_distance_px"]["after"] < 0.8 * mean["contour_distance_px"]["before"]
    assert mean["mask_precision"]["after"] > mean["mask_precision"]["before"] + 0.03
    assert json.loads((run[0] / "metrics.json").read_text())["holdout"] == mean


def poses(result: RunResult) -> np.ndarray:
    return np.stack([hand.after.mano.pose_aa for hand in result.hands])


def test_a_held_out_image_does_not_change_the_result(sequence: HandSequence) -> None:
    def other_picture() -> np.ndarray:
        camera = sequence.cameras[HELD_OUT]
        return np.random.default_rng(0).random((camera.height, camera.width, 3)).astype(np.float32)

    images = {key: other_picture if key[1] == HELD_OUT else read for key, read in sequence.images.items()}
    results, reports = [], []
    for video in (sequence, replace(sequence, images=images)):
        fitted, held_out = split_off(video, [HELD_OUT])
        results.append(refine(fitted, "right", config(2)))
        reports.append(measure_holdout(results[-1], held_out).together)
    np.testing.assert_allclose(poses(results[0]), poses(results[1]), atol=1e-6)
    errors = [report["mean"]["photometric_error"]["after"] for report in reports]
    assert errors[1] > 1.5 * errors[0]


def test_a_hand_may_be_missing_at_some_frames(sequence: HandSequence) -> None:
    left = sequence.annotation("left")
    without = replace(left, mano_valid=np.array([False, True]), joints_world=None, joint_valid=None)
    partly = replace(sequence, annotations={**sequence.annotations, "left": without})
    result = refine(partly, BOTH, config(2))
    right, left = result.hands
    assert right.frames == sequence.frames
    assert left.frames == sequence.frames[1:]
    assert {view.frame for view in left.views} == {sequence.frames[1]}
    for view in right.views:
        of_left = (view.after.coverage - view.after.own_coverage).max()
        assert (of_left > 0.9) if view.frame == sequence.frames[1] else (of_left < 0.02)
    again = refined_annotation(left, partly)
    assert again.mano_valid is not None
    assert again.mano_valid.tolist() == [False, True]
    assert np.isfinite(left.after.mano.pose_aa).all()


def test_hands_may_share_a_shape_and_a_texture(sequence: HandSequence) -> None:
    shared = config(2, hands={"shared_shape": True, "shared_texture": True})
    right, left = refine(sequence, BOTH, shared).hands
    np.testing.assert_array_equal(right.after.mano.shape, left.after.mano.shape)
    np.testing.assert_array_equal(right.textures, left.textures)
    start = np.mean([of.before.mano.shape for of in (right, left)], axis=(0, 1))
    assert 0 < np.abs(right.after.mano.shape[0] - start).max() < 1.0
    model = prepare(sequence, BOTH, shared).model
    assert len(model.parameters_of("shape")) == 1
    assert len(model.parameters_of("articulation")) == 2


def test_what_shared_betas_mean_depends_on_the_models(sequence: HandSequence) -> None:
    right, left = load_hand_model("right"), load_hand_model("left")
    assert mirrors(left, right)
    left._mano.shapedirs[:, 0] *= -1
    assert not mirrors(left, right)
    alone = config(
        1, frame_coupling="independent", losses={"temporal": {"weight": 0}}, hands={"shared_shape": True}
    )
    with pytest.raises(InputError, match="shape and a texture of their own"):
        prepare(sequence, BOTH, alone)


def test_one_must_be_left_to_fit(sequence: HandSequence) -> None:
    with pytest.raises(InputError, match="no camera is left"):
        split_off(sequence, list(sequence.cameras))
    with pytest.raises(InputError, match="no camera '99'"):
        split_off(sequence, ["99"])


@pytest.mark.slow
def test_two_hands_reach_a_millimetre_and_a_fifth(tmp_path: Path) -> None:
    settings = SyntheticSettings(n_cameras=8, n_frames=4, size=128)
    synthesize(tmp_path / "data", BOTH, settings, 10.0, Config())
    torch.set_num_threads(1)
    run_task(Task(data=tmp_path / "data", out=tmp_path / "run", hands=BOTH))
    metrics = evaluate_against_truth(tmp_path / "run", tmp_path / "data" / "truth.npz")
    hands = metrics["hands"]
    assert isinstance(hands, dict)
    for side in BOTH:
        assert hands[side]["vertex_error_mm"]["after"] <= 1.2

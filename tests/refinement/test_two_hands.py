"""Both hands in one optimisation: recovery, write-back, held-out cameras, a missing hand, what is shared."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from short_schedules import schedule

from handrefine.cli.both_hands_command import run_both
from handrefine.cli.demo_command import error_monitor
from handrefine.cli.evaluate_command import evaluate_run
from handrefine.cli.synthesize_command import synthesize
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.evaluation.held_out import measure_holdout, split_off
from handrefine.hand.model import load_hand_model, mirrors
from handrefine.progress import SilentProgress
from handrefine.refinement.problem import prepare
from handrefine.refinement.refine import Refinement, refine_hands
from handrefine.sequence import HandSequence, Side
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.truth_file import load_truth

QUIET = Console(quiet=True)
HELD_OUT = "04"


def config(iterations: int, **more: object) -> Config:
    few = min(iterations, 4)
    stages = schedule(environment=few, texture=few, joint=iterations)
    return config_from_mapping({"texture": {"size": 64}, "schedule": stages, **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both") / "data"
    settings = SyntheticSettings(n_cameras=5, n_frames=2, size=64, texture_size=128)
    synthesize(folder, "both", settings, 10.0, Config(), console=QUIET)
    return folder


@pytest.fixture(scope="module")
def sequence(data: Path) -> HandSequence:
    return read_interhand26m(data)


@pytest.fixture(scope="module")
def run(data: Path, sequence: HandSequence, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """One run of both hands, with a held-out camera; the folder and the results."""
    out = tmp_path_factory.mktemp("run") / "run"
    fitted, held_out = split_off(sequence, [HELD_OUT])
    sides: tuple[Side, Side] = ("right", "left")
    monitors = {side: error_monitor(load_truth(data / "truth.npz", side)) for side in sides}
    refinements, _ = run_both(
        fitted, config(35), out, held_out=held_out, progress=SilentProgress(), monitors=monitors
    )
    evaluate_run(out, data / "truth.npz", console=QUIET)
    return out, refinements


def test_both_hands_come_closer(run: tuple[Path, dict]) -> None:
    metrics = json.loads((run[0] / "metrics.json").read_text())
    errors = [metrics["hands"][side]["vertex_error_mm"] for side in ("right", "left")]
    for error in errors:
        assert error["before"] == pytest.approx(10.0, abs=0.01)
        assert error["after"] < 5.0
    mean = np.mean([error["after"] for error in errors])
    assert metrics["vertex_error_mm"]["after"] == pytest.approx(mean)


def test_every_hand_has_a_complete_run_folder(run: tuple[Path, dict]) -> None:
    out, refinements = run
    for side in ("right", "left"):
        for name in (
            "config.yaml", "annotation.npz", "texture.png", "environment.exr", "colour.json", "metrics.json",
            "log.jsonl", "loss.png", "overview.png", "report.html", "holdout.json",
        ):  # fmt: skip
            assert (out / side / name).stat().st_size > 0, name
        assert len(list((out / side / "overlays").glob("*.png"))) == 8
        last = json.loads((out / side / "log.jsonl").read_text().splitlines()[-1])
        error_mm = json.loads((out / side / "metrics.json").read_text())["vertex_error_mm"]["after"]
        assert last["vertex_error_mm"] == pytest.approx(error_mm, abs=0.2)
    assert {key[1] for key in refinements["left"].observations.keys} == {"00", "01", "02", "03"}


def test_both_annotations_are_written_back(run: tuple[Path, dict], data: Path) -> None:
    out, refinements = run
    again = read_interhand26m(data, refined=out / "dataset")
    for side, refinement in refinements.items():
        mano = again.annotation(side).mano
        assert mano is not None
        np.testing.assert_allclose(mano.pose_aa, refinement.after.parameters.pose_aa, atol=1e-9)
        np.testing.assert_allclose(mano.trans_m, refinement.after.parameters.trans_m, atol=1e-9)
        np.testing.assert_allclose(mano.shape, refinement.after.parameters.shape, atol=1e-9)


def test_a_held_out_camera_sees_the_gain(run: tuple[Path, dict]) -> None:
    report = json.loads((run[0] / "holdout.json").read_text())
    assert [(entry["camera"], entry["frame"]) for entry in report["cameras"]] == [(HELD_OUT, None)]
    mean = report["mean"]
    assert mean["contour_distance_px"]["after"] < 0.8 * mean["contour_distance_px"]["before"]
    assert mean["mask_precision"]["after"] > mean["mask_precision"]["before"] + 0.03
    assert json.loads((run[0] / "metrics.json").read_text())["holdout"] == mean


def poses(refinements: dict[Side, Refinement]) -> np.ndarray:
    return np.stack([of.after.parameters.pose_aa for of in refinements.values()])


def test_a_held_out_image_does_not_change_the_result(sequence: HandSequence) -> None:
    def other_picture() -> np.ndarray:
        camera = sequence.cameras[HELD_OUT]
        return np.random.default_rng(0).random((camera.height, camera.width, 3)).astype(np.float32)

    images = {key: other_picture if key[1] == HELD_OUT else read for key, read in sequence.images.items()}
    results, reports = [], []
    for video in (sequence, replace(sequence, images=images)):
        fitted, held_out = split_off(video, [HELD_OUT])
        results.append(refine_hands(fitted, ("right",), config(2)))
        reports.append(measure_holdout(list(results[-1].values()), held_out).together)
    np.testing.assert_allclose(poses(results[0]), poses(results[1]), atol=1e-6)
    errors = [report["mean"]["photometric_error"]["after"] for report in reports]  # pyright: ignore
    assert errors[1] > 1.5 * errors[0]


def test_a_hand_may_be_missing_at_some_frames(sequence: HandSequence) -> None:
    left = sequence.annotation("left")
    without = replace(left, mano_valid=np.array([False, True]), joints_world=None, joint_valid=None)
    partly = replace(sequence, annotations={**sequence.annotations, "left": without})
    refinements = refine_hands(partly, ("right", "left"), config(2))
    assert refinements["right"].frames == sequence.frames
    assert refinements["left"].frames == sequence.frames[1:]
    assert {frame for frame, _ in refinements["left"].observations.keys} == {0}
    seen = refinements["right"]
    by_hand = seen.observations.views.split(seen.after.prediction.by_hand)
    of_left = [picture[..., 1].max() for picture in by_hand]
    for (frame, _), most in zip(seen.observations.keys, of_left, strict=True):
        assert (most > 0.9) if frame == 1 else (most < 0.02)
    again = refinements["left"].annotation()
    assert again.mano_valid is not None
    assert again.mano_valid.tolist() == [False, True]
    assert np.isfinite(refinements["left"].after.parameters.pose_aa).all()


def test_hands_may_share_a_shape_and_a_texture(sequence: HandSequence) -> None:
    shared = config(2, hands={"shared_shape": True, "shared_texture": True})
    refinements = refine_hands(sequence, ("right", "left"), shared)
    right, left = refinements["right"], refinements["left"]
    np.testing.assert_array_equal(right.after.parameters.shape, left.after.parameters.shape)
    np.testing.assert_array_equal(right.textures, left.textures)
    start = np.mean([of.start.parameters.shape for of in (right, left)], axis=(0, 1))
    assert 0 < np.abs(right.after.parameters.shape[0] - start).max() < 1.0
    model = right.job.model
    assert len(list(model.variables("shape"))) == 1
    assert len(list(model.variables("articulation"))) == 2


def test_what_shared_betas_mean_depends_on_the_models(sequence: HandSequence) -> None:
    right, left = load_hand_model("right"), load_hand_model("left")
    assert mirrors(left, right)
    left._mano.shapedirs[:, 0] *= -1
    assert not mirrors(left, right)
    alone = config(1, frame_coupling="independent", objective={"lambda_prior": 0}, hands={"shared_shape": True})
    with pytest.raises(InputError, match="shape and a texture of their own"):
        prepare(sequence, ("right", "left"), alone)


def test_one_must_be_left_to_fit(sequence: HandSequence) -> None:
    with pytest.raises(InputError, match="no camera is left"):
        split_off(sequence, list(sequence.cameras))
    with pytest.raises(InputError, match="no camera '99'"):
        split_off(sequence, ["99"])


@pytest.mark.slow
def test_two_hands_reach_a_millimetre_and_a_fifth(tmp_path: Path) -> None:
    settings = SyntheticSettings(n_cameras=8, n_frames=4, size=128)
    synthesize(tmp_path / "data", "both", settings, 10.0, Config(), console=QUIET)
    torch.set_num_threads(1)
    run_both(read_interhand26m(tmp_path / "data"), Config(), tmp_path / "run", progress=SilentProgress())
    metrics = evaluate_run(tmp_path / "run", tmp_path / "data" / "truth.npz", console=QUIET)
    hands = metrics["hands"]
    assert isinstance(hands, dict)
    for side in ("right", "left"):
        assert hands[side]["vertex_error_mm"]["after"] <= 1.2

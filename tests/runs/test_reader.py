"""What is written comes back from the one reader, up to the 8 bits of textures and images."""

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from example_run import example_metrics, example_result
from made_run import hand_of, posed, result_of, write_result

from handrefine.errors import InputError
from handrefine.evaluation.run_metrics import together
from handrefine.runs.judgement import Judgement
from handrefine.runs.reader import open_run
from handrefine.runs.result import HandState, JointEvidence, RunResult
from handrefine.sequence import FrameId, ManoParameters, Side

#: Half a level of 8-bit sRGB in linear light, at its steepest, and a little more.
HALF_A_LEVEL = 0.6 / 255 * 2.3


def written(folder: Path, result: RunResult) -> Path:
    by_hand = {hand.side: example_metrics(hand, len(result.records)) for hand in result.hands}
    write_result(folder, result, Judgement(together(by_hand), by_hand))
    return folder


def with_all_that_is_known(result: RunResult) -> RunResult:
    hands = []
    for k, hand in enumerate(result.hands):
        joints = np.random.default_rng(k).normal(size=(len(hand.frames), 21, 3)).astype(np.float32)
        joints[0] = np.nan
        fit = {"joint_residual_mm": 1.5 + k, "residual_by_joint_mm": {"wrist": 2.0 + k}}
        std_mm = np.random.default_rng(k).uniform(1, 5, (len(hand.frames), 21)).astype(np.float32)
        evidence = JointEvidence(std_mm, np.full(std_mm.shape, 2 + k))
        hands.append(replace(hand, other_joints_world=joints, evidence=evidence, **fit))
    return replace(result, hands=tuple(hands))


def assert_same(a: object, b: object, where: str) -> None:
    """Equal to the last digit, but colours only to 8 bits of sRGB and shares to 8 bits."""
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray), where
        assert a.shape == b.shape, where
        if where.endswith(("textures", "image", "rgb")) or "stage_textures" in where:
            np.testing.assert_allclose(b, a, atol=HALF_A_LEVEL, err_msg=where)
        elif where.endswith("coverage"):
            np.testing.assert_allclose(b, a, atol=0.51 / 255, err_msg=where)
        elif where.endswith("environment"):
            np.testing.assert_allclose(b, a, rtol=1e-6, err_msg=where)
        else:
            np.testing.assert_array_equal(a, b, err_msg=where)
    elif isinstance(a, dict):
        assert list(a) == list(b), where  # pyright: ignore[reportArgumentType]
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")  # pyright: ignore[reportIndexIssue]
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b), where  # pyright: ignore[reportArgumentType]
        for k, (first, second) in enumerate(zip(a, b, strict=True)):  # pyright: ignore[reportArgumentType]
            assert_same(first, second, f"{where}[{k}]")
    elif hasattr(a, "__dataclass_fields__") and not where.endswith("config"):
        for field in fields(a):  # pyright: ignore[reportArgumentType]
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{where}.{field.name}")
    else:
        assert a == b, where


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("sides", [("right",), ("right", "left")])
def test_a_result_comes_back_as_it_was_written(tmp_path: Path, sides: tuple[Side, ...]) -> None:
    result = with_all_that_is_known(example_result(sides, size=32, texture=16))
    own = [view.after.own_coverage.sum() / view.after.coverage.sum() for h in result.hands for view in h.views]
    assert (min(own) < 0.9) == (len(sides) == 2)
    again = open_run(written(tmp_path / "run", result)).result()
    assert_same(result, again, "result")


@pytest.mark.usefixtures("runtime")
def test_every_frames_texture_comes_back_where_frames_are_independent(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mano = ManoParameters(np.zeros((2, 48)), np.zeros((2, 10)), np.zeros((2, 3)))
    state: HandState = posed("left", mano)
    hand = hand_of("left", (FrameId(3), FrameId(9)), state, state, rng.random((2, 16, 16, 3)).astype(np.float32))
    seen = rng.random((2, 16, 16)) > 0.5
    result = result_of([replace(hand, textures_seen=seen)], [of.camera for of in example_result(frames=1).cameras])
    again = open_run(written(tmp_path / "run", result)).result()
    np.testing.assert_allclose(again.hands[0].textures, hand.textures, atol=HALF_A_LEVEL)
    np.testing.assert_array_equal(again.hands[0].textures_seen, seen)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, runtime) -> Path:
    return written(tmp_path_factory.mktemp("read") / "run", example_result(frames=1, size=24, texture=16))


@pytest.mark.parametrize(
    "name",
    [
        *("annotation.npz", "config.yaml", "metrics.json", "log.jsonl", "warnings.json", "texture.png"),
        *("texture_seen.png", "environment.json", "colour.json", "cameras.json", "views/views.json"),
        *("views/frame100_camcam 00_after.png", "texture_stages/joint.png"),
    ],
)
def test_a_broken_piece_is_told_by_its_name(run: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / name).write_bytes(b'{"cameras": 3')
    with pytest.raises(InputError) as caught:
        open_run(copy).result()
    assert str(copy / name) in str(caught.value)


def test_a_run_can_be_judged_without_its_images(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(copy / "views")
    result = open_run(copy).result(images=False)
    assert result.hands[0].views == ()
    assert result.hands[0].textures.shape == (1, 16, 16, 3)


def test_figures_of_earlier_versions_are_found_under_todays_name(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["per_instant"] = metrics.pop("per_frame")
    (copy / "metrics.json").write_text(json.dumps(metrics))
    assert open_run(copy).metrics["per_frame"] == metrics["per_instant"]


def test_frames_and_cameras_are_found_or_told(run: Path) -> None:
    hand = open_run(run).only_hand()
    assert hand.frame_indices(None) == hand.frame_indices(100) == (0,)
    assert hand.camera(None).name == "cam 00"
    with pytest.raises(InputError, match="no frame 7"):
        hand.frame_indices(7)
    with pytest.raises(InputError, match="no camera 'x'"):
        hand.camera("x")
    with pytest.raises(InputError, match="does not exist"):
        open_run(run / "nowhere")
    with pytest.raises(InputError, match="not a finished run folder"):
        open_run(run / "views")

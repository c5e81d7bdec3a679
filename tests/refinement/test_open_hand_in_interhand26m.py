"""InterHand2.6M's layout with the open hand at hand: official parameters are never mistaken for its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule

from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_layout import JOINT_ROWS
from handrefine.pipeline import save_run
from handrefine.refinement.refine import refine
from handrefine.runs.result import RunResult
from handrefine.runs.write_back import refined_annotation
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.truth_file import load_truth
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping({"texture": {"size": 16}, "stages": schedule(environment=1, texture=1, joint=1)})
MARK, MANO = (f"annotations/test/{name}.json" for name in ("handrefine", "InterHand2.6M_test_MANO_NeuralAnnot"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(n_cameras=2, n_frames=1, size=32, texture_size=64)
    synthesize(folder, ["right"], settings, 10.0, Config())
    return folder


def run(data: Path, out: Path) -> RunResult:
    sequence = read_interhand26m(data)
    result = refine(sequence, "right", CONFIG)
    save_run(result, sequence, out)
    return result


@pytest.fixture
def official(made: Path, tmp_path: Path) -> Path:
    """The same video as the published dataset would come: parameters of another model, and the true joints."""
    data = shutil.copytree(made, tmp_path / "official")
    (data / MARK).write_text('{"hand_model": "official"}')
    content = json.loads((data / MANO).read_text())
    joints_mm, valid = np.zeros((42, 3)), np.zeros((42, 1), int)
    joints_mm[JOINT_ROWS["right"]] = 1e3 * load_truth(data / "truth.npz").joints_world[0]
    valid[JOINT_ROWS["right"]] = 1
    (frame,) = content["0"]
    content["0"][frame]["right"]["trans"][0] += 0.09
    (data / MANO).write_text(json.dumps(content))
    entry = {"world_coord": joints_mm.tolist(), "joint_valid": valid.tolist()}
    (data / "annotations/test/InterHand2.6M_test_joint_3d.json").write_text(json.dumps({"0": {frame: entry}}))
    return data


def test_what_the_open_hand_wrote_is_read_as_the_open_hands(made: Path, tmp_path: Path) -> None:
    first = run(made, tmp_path / "first")
    assert json.loads((tmp_path / "first" / "dataset" / MARK).read_text()) == {"hand_model": "open"}
    again = shutil.copytree(made, tmp_path / "again")
    shutil.copytree(tmp_path / "first" / "dataset", again, dirs_exist_ok=True)
    second = run(again, tmp_path / "second")
    assert not any("MANO" in warning for warning in second.warnings)
    np.testing.assert_allclose(second.hands[0].before.mano.pose_aa, first.hands[0].after.mano.pose_aa, atol=1e-6)
    assert (tmp_path / "second" / "dataset" / MARK).exists()


def test_official_parameters_are_not_posed_on_the_open_hand(official: Path, tmp_path: Path) -> None:
    result = run(official, tmp_path / "run")
    assert any("belong to the official model" in warning for warning in result.warnings)
    assert not (tmp_path / "run" / "dataset").exists()
    truth = load_truth(official / "truth.npz")
    (hand,) = result.hands
    joints = hand.before.joints_world
    assert np.linalg.norm(joints - truth.joints_world, axis=-1).mean() < 0.003
    mano = refined_annotation(hand, read_interhand26m(official)).mano
    assert mano is not None
    assert mano.open_hand


def test_a_fit_of_the_open_hand_says_so_and_leaves_official_parameters_out(official: Path, tmp_path: Path) -> None:
    content = json.loads((official / MANO).read_text())
    content["7"] = {"3": next(iter(content["0"].values()))}
    (official / MANO).write_text(json.dumps(content))
    main(["fit", "--data", str(official), "--out", str(tmp_path / "fit"), "--hand", "right"])
    fitted = read_interhand26m(official, refined=tmp_path / "fit")
    mano = fitted.annotation("right").mano
    assert mano is not None
    assert mano.open_hand
    assert not fitted.official_mano
    assert list(json.loads((tmp_path / "fit" / MANO).read_text())) == ["0"]

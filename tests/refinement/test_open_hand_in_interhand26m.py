"""InterHand2.6M's layout with the open hand at hand: official parameters are never mistaken for its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from short_schedules import schedule

from handrefine.cli.fit import fit_folder
from handrefine.cli.refine import run
from handrefine.cli.synthesize import synthesize
from handrefine.config import Config, HandConfig
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_format import JOINT_ROWS
from handrefine.datasets.synthetic import SyntheticSettings, load_truth
from handrefine.progress import SilentProgress

CONFIG = config_from_mapping({"texture": {"size": 16}, "schedule": schedule(environment=1, texture=1, joint=1)})
QUIET = Console(quiet=True)
MARK, MANO = (f"annotations/test/{name}.json" for name in ("handrefine", "InterHand2.6M_test_MANO_NeuralAnnot"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("video") / "data"
    settings = SyntheticSettings(cameras=2, instants=1, size=32, texture_size=64)
    synthesize(folder, "right", settings, 10.0, Config(), console=QUIET)
    return folder


@pytest.fixture
def official(made: Path, tmp_path: Path) -> Path:
    """The same video as the published dataset would come: parameters of another model, and the true joints."""
    data = shutil.copytree(made, tmp_path / "official")
    (data / MARK).unlink()
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
    first, _ = run(read_interhand26m(made), "right", CONFIG, tmp_path / "first", progress=SilentProgress())
    assert json.loads((tmp_path / "first" / "dataset" / MARK).read_text()) == {"hand_model": "open"}
    again = shutil.copytree(made, tmp_path / "again")
    shutil.copytree(tmp_path / "first" / "dataset", again, dirs_exist_ok=True)
    second, _ = run(read_interhand26m(again), "right", CONFIG, tmp_path / "second", progress=SilentProgress())
    assert not any("MANO" in warning for warning in second.warnings)
    np.testing.assert_allclose(second.before.parameters.pose_aa, first.annotation().mano.pose_aa, atol=1e-6)
    assert (tmp_path / "second" / "dataset" / MARK).exists()


def test_official_parameters_are_not_posed_on_the_open_hand(official: Path, tmp_path: Path) -> None:
    refinement, _ = run(read_interhand26m(official), "right", CONFIG, tmp_path / "run", progress=SilentProgress())
    assert any("belong to the official model" in warning for warning in refinement.warnings)
    assert not (tmp_path / "run" / "dataset").exists()
    truth = load_truth(official / "truth.npz")
    joints = refinement.before.geometry.joints_world.numpy()
    assert np.linalg.norm(joints - truth.joints_world, axis=-1).mean() < 0.003
    assert refinement.annotation().mano.open_hand


def test_a_fit_of_the_open_hand_says_so_and_leaves_official_parameters_out(official: Path, tmp_path: Path) -> None:
    content = json.loads((official / MANO).read_text())
    content["7"] = {"3": next(iter(content["0"].values()))}
    (official / MANO).write_text(json.dumps(content))
    fit_folder(official, tmp_path / "fit", ("right",), HandConfig(), console=QUIET)
    fitted = read_interhand26m(official, refined=tmp_path / "fit")
    assert fitted.annotation("right").mano.open_hand
    assert not fitted.official_mano
    assert list(json.loads((tmp_path / "fit" / MANO).read_text())) == ["0"]

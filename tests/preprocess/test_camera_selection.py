"""`auto:N`: the cameras that see most of the annotated hand, by name and by number."""

from pathlib import Path

import numpy as np
import pytest

from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.errors import InputError
from handrefine.hand.model import HandModel
from handrefine.preprocess.camera_selection import automatic_count, cameras_that_see_most, select_cameras
from handrefine.sequence import Camera
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truth


@pytest.fixture(scope="module")
def truth(right_hand: HandModel) -> SyntheticTruth:
    settings = SyntheticSettings(n_cameras=3, n_frames=2, size=32, texture_size=8)
    return make_truth(right_hand, right_hand.default_skin(), settings)


@pytest.fixture(scope="module")
def data(truth: SyntheticTruth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cameras, the first turned away from the hand; the second misses one image."""
    cameras = dict(truth.cameras)
    cameras["00"] = turned_away(cameras["00"])
    keys = [(k, name) for k in range(2) for name in cameras if (k, name) != (1, "01")]
    root = tmp_path_factory.mktemp("cameras") / "data"
    picture = np.full((32, 32, 3), 0.2, dtype=np.float32)
    images = dict.fromkeys(keys, picture)
    write_interhand26m_sequence(root, cameras, truth.frames, images, {"right": truth.annotation})
    return root


def turned_away(camera: Camera) -> Camera:
    R = np.diag([-1.0, 1.0, -1.0]) @ camera.R_cam_world
    return Camera(camera.name, 32, 32, camera.fx, camera.fy, camera.cx, camera.cy, R, -R @ camera.center_world)


def test_a_camera_that_looks_away_comes_last(data: Path):
    sequence = read_interhand26m(data)
    ranked = cameras_that_see_most(sequence, "right", 3, Config())
    assert set(ranked) == {"00", "01", "02"}
    assert ranked[-1] == "00"
    assert cameras_that_see_most(sequence, "right", 2) == ranked[:2]


@pytest.mark.parametrize("n", [0, 99])
def test_an_impossible_number_is_refused(data: Path, n: int):
    with pytest.raises(InputError, match="1 to 3"):
        cameras_that_see_most(read_interhand26m(data), "right", n)


def test_the_option_is_a_number_after_auto_or_names():
    assert automatic_count("auto:12") == 12
    assert automatic_count("00,01") is None
    for bad in ("auto:x", "auto:", "auto:-1", "auto:1.5", "auto:²"):
        with pytest.raises(InputError, match="auto:N"):
            automatic_count(bad)


@pytest.mark.parametrize("option", ["auto:0", "auto:99", "auto:x"])
def test_the_command_line_refuses_it_and_leaves_nothing(
    data: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stop:
        main(["refine", "--data", str(data), "--out", str(tmp_path / "run"), "--cameras", option])
    assert stop.value.code == 2
    assert "cameras" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_cameras_are_chosen_by_mean_visible_area():
    area = np.array([[1.0, 5.0, np.nan, np.nan], [3.0, np.nan, np.nan, 4.0]])
    assert select_cameras(area, ["a", "b", "c", "d"], 4) == ("b", "d", "a", "c")
    assert select_cameras(area, ["a", "b", "c", "d"], 2) == ("b", "d")
    assert select_cameras(np.ones((2, 3)), ["z", "y", "x"], 2) == ("z", "y")


@pytest.mark.parametrize("n", [0, 4])
def test_an_impossible_number_of_cameras_is_refused(n: int):
    with pytest.raises(InputError, match="cameras"):
        select_cameras(np.ones((1, 3)), ["a", "b", "c"], n)

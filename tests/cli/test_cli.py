"""The command line as a user meets it, above all when the input is bad: one clear error, exit status 2."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handrefine import __version__
from handrefine.cli.deprecated import RENAMED, renewed
from handrefine.cli.main import COMMANDS, main
from handrefine.datasets.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.hand.model import load_hand_model
from handrefine.synthetic.truth import SyntheticSettings, make_truth


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny video in InterHand2.6M's layout: right annotation, grey pictures."""
    hand = load_hand_model("right")
    truth = make_truth(hand, hand.default_skin(), SyntheticSettings(n_cameras=2, n_frames=2, size=32))
    keys = [(k, name) for k in range(2) for name in truth.cameras]
    picture = np.full((32, 32, 3), 0.2, dtype=np.float32)
    root = tmp_path_factory.mktemp("pristine") / "data"
    write_interhand26m_sequence(
        root, truth.cameras, truth.frames, dict.fromkeys(keys, picture), {"right": truth.annotation}
    )
    return root


@pytest.fixture
def data(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return shutil.copytree(pristine, tmp_path / "data")


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must end in one message and status 2; returns the message on one line."""

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert stop.value.code == 2
        message = capsys.readouterr().err
        assert "Traceback" not in message
        return " ".join(message.split())

    return run


def edit(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def annotation(data: Path, kind: str) -> Path:
    return data / "annotations" / "test" / f"InterHand2.6M_test_{kind}.json"


def test_an_empty_folder(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "empty").mkdir()
    message = fails("refine", "--data", tmp_path / "empty", "--out", tmp_path / "run")
    assert "empty" in message
    assert not (tmp_path / "run").exists()


def test_an_unknown_camera(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    message = fails("refine", "--data", data, "--out", tmp_path / "run", "--cameras", "cam99")
    assert "cam99" in message
    assert not (tmp_path / "run").exists()


def test_a_camera_that_has_no_calibration(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    edit(annotation(data, "camera"), lambda content: content["0"]["focal"].popitem())
    message = fails("refine", "--data", data, "--out", tmp_path / "run")
    assert "focal" in message
    assert "InterHand2.6M_test_camera.json" in message


def test_a_truncated_jpeg(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    image = next(data.rglob("*.jpg"))
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    message = fails("refine", "--data", data, "--out", tmp_path / "run")
    assert image.name in message.replace(" ", "")
    assert not (tmp_path / "run").exists()


def test_nan_in_a_pose(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    def break_pose(content: dict) -> None:
        frame = sorted(content["0"])[1]
        content["0"][frame]["right"]["pose"][7] = float("nan")

    edit(annotation(data, "MANO_NeuralAnnot"), break_pose)
    message = fails("refine", "--data", data, "--out", tmp_path / "run")
    assert "pose" in message
    assert "right" in message


def test_joints_of_the_wrong_count(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    annotation(data, "MANO_NeuralAnnot").unlink()

    def drop_joint(content: dict) -> None:
        next(iter(content["0"].values()))["world_coord"].pop()

    edit(annotation(data, "joint_3d"), drop_joint)
    message = fails("refine", "--data", data, "--out", tmp_path / "run")
    assert "42" in message
    assert "world_coord" in message


def test_a_missing_key(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    edit(annotation(data, "data"), lambda content: content["images"][0].pop("width"))
    message = fails("refine", "--data", data, "--out", tmp_path / "run")
    assert "width" in message
    assert "InterHand2.6M_test_data.json" in message


def test_an_unknown_configuration_key(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "config.yaml").write_text("render: {sppp: 3}\n")
    message = fails("refine", "--data", data, "--out", tmp_path / "run", "--config", tmp_path / "config.yaml")
    assert "did you mean render.spp?" in message


def test_a_preset_that_is_no_text(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xe9")
    assert "not text in UTF-8" in fails("configs", tmp_path / "a.yaml")


def test_an_unknown_option(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    message = fails("refine", "--data", data, "--out", tmp_path / "run", "--render.sppp", "3")
    assert "--render.sppp" in message


class _RunsCode:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("owned"),)


def test_a_hand_model_that_tries_to_run_code(
    data: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(pickle.dumps({"v_template": _RunsCode()}))
    message = fails(
        "refine", "--data", data, "--out", tmp_path / "run", "--hand.model-file", tmp_path / "MANO_RIGHT.pkl"
    )
    assert "MANO_RIGHT.pkl" in message.replace(" ", "")
    assert not (tmp_path / "owned").exists()


def test_an_llvm_that_is_too_old(
    data: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "libLLVM-15.so.1"
    old.touch()
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", str(old))
    message = fails("refine", "--data", data, "--out", tmp_path / "run", "--render.variant", "llvm_ad_rgb")
    assert "15" in message
    assert "16" in message


def test_a_hand_that_is_not_annotated(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    message = fails("refine", "--data", data, "--out", tmp_path / "run", "--hand", "left")
    assert "left" in message


def test_a_run_folder_that_exists(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    precious = tmp_path / "run" / "precious"
    precious.parent.mkdir()
    precious.write_text("data")
    fails("refine", "--data", data, "--out", tmp_path / "run")
    fails("refine", "--data", data, "--out", tmp_path / "run", "--overwrite")
    assert precious.read_text() == "data"


def test_debug_shows_where_it_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["refine", "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "run"), "--debug"])
    assert stop.value.code == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage: handrefine" in capsys.readouterr().out


def test_what_must_be_given_comes_first_and_settings_do_not_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")  # workers of a test run have no terminal of their own, or any
    with pytest.raises(SystemExit):
        main(["refine", "--help"])
    told = capsys.readouterr().out
    places = [told.index(f"{option} ") for option in ("--data", "--out", "--config", "--hand", "--debug,")]
    assert places == sorted(places)
    assert "--render.spp" not in told
    assert len(told.splitlines()) < 70


def test_doctor_finds_this_machine_ready(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    report = capsys.readouterr().out
    assert "open hand" in report
    assert "_ad_rgb" in report


@pytest.mark.parametrize("command", ["refine", "fit"])
def test_an_output_folder_around_or_within_the_dataset(
    command: str, data: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    """A demo's folder holds its dataset; replacing the one must not cost the other."""
    (tmp_path / ".handrefine").write_text("This folder was written by handrefine.\n")
    before = sorted(path.relative_to(data) for path in data.rglob("*"))
    (tmp_path / "link").symlink_to(data)
    options = ["--overwrite"] if command == "refine" else []
    for out in (tmp_path, data, data / "run", tmp_path / "link" / "run"):
        assert "lie in one another" in fails(command, "--data", data, "--out", out, *options)
    assert sorted(path.relative_to(data) for path in data.rglob("*")) == before


def test_a_run_is_judged_by_something(tmp_path: Path, fails: Callable[..., str]) -> None:
    assert "--truth FILE or --data DIR" in fails("evaluate", tmp_path)


def test_an_unknown_command(fails: Callable[..., str]) -> None:
    assert "one of demo, synthesize" in fails("refin", "--data", "x")


def test_the_version_and_all_commands_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    code = [sys.executable, "-m", "handrefine", "--version"]
    assert subprocess.run(code, capture_output=True, text=True, check=True).stdout == f"handrefine {__version__}\n"
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name} " not in told] == []


def test_old_options_still_work_and_say_what_they_are_called_now() -> None:
    today, messages = renewed(["demo", "--instants=3", "--cameras", "5", "--size", "32"])
    assert today == ["demo", "--n-frames=3", "--n-cameras", "5", "--size", "32"]
    assert messages == ["--instants is now called --n-frames", "--cameras is now called --n-cameras"]
    assert renewed(["refine", "--cameras", "00"]) == (["refine", "--cameras", "00"], [])
    assert renewed([]) == ([], [])


@pytest.mark.parametrize("command", list(RENAMED))
def test_what_options_are_called_now_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    for new in RENAMED[command].values():
        assert f"{new} " in told


def test_an_old_option_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["turntable", str(tmp_path / "nowhere"), "--out", str(tmp_path / "film"), "--pictures", "2"])
    message = " ".join(capsys.readouterr().err.split())
    assert "deprecated: --pictures is now called --n-images" in message
    assert "does not exist" in message

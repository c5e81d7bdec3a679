"""A run again from its folder, and what has changed in the meantime."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import yaml
from short_schedules import schedule

from handrefine.cli.main import main, parse
from handrefine.cli.refine import Refine
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.errors import InputError
from handrefine.runs.provenance import ReadDigest, differences
from handrefine.runs.reader import open_run
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize
from handrefine.task import Task

SHORT = {"texture": {"size": 16}, "render": {"spp": 1}, "stages": schedule(texture=1, joint=1)}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, and a run of it."""
    folder = tmp_path_factory.mktemp("rerun")
    synthesize(folder / "data", ["right"], SyntheticSettings(n_cameras=3, n_frames=1, size=24), 5.0, Config())
    (folder / "short.yaml").write_text(yaml.safe_dump(SHORT))
    options = ["--config", str(folder / "short.yaml"), "--holdout", "02", "--seed", "7"]
    main(["refine", "--data", str(folder / "data"), "--out", str(folder / "run"), *options])
    return folder


def test_a_run_is_repeated_from_its_folder_alone(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["refine", "--rerun", str(first / "run"), "--out", str(first / "again")])
    assert "data and software are those of" in " ".join(capsys.readouterr().out.split())
    one, two = (json.loads((first / name / "task.json").read_text()) for name in ("run", "again"))
    assert {**one, "out": None} == {**two, "out": None}
    states = [open_run(first / name).only_hand().annotation.after.mano.pose_aa for name in ("run", "again")]
    np.testing.assert_allclose(states[0], states[1], atol=1e-3)


def test_other_options_still_count(first: Path) -> None:
    command = parse(["refine", "--rerun", str(first / "run"), "--out", str(first / "x"), "--holdout", "01"])
    assert isinstance(command, Refine)
    task = command.task()
    assert (task.held_out, task.config.seed, task.data) == (("01",), 7, first / "data")


def test_changed_data_are_told(first: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = next((first / "data" / "images").rglob("*.jpg"))
    kept = image.read_bytes()
    try:
        iio.imwrite(image, iio.imread(image) // 2)
        main(["refine", "--rerun", str(first / "run"), "--out", str(first / "darker")])
    finally:
        image.write_bytes(kept)
    assert "changed: the data that were read" in " ".join(capsys.readouterr().out.split())


def test_other_versions_are_told() -> None:
    now = {"data_sha256": "a", "versions": {"torch": "2", "numpy": "2"}}
    assert differences(now, now) == []
    before = {"data_sha256": "a", "versions": {"torch": "1", "numpy": "2"}}
    assert differences(before, now) == ["torch is 2, it was 1"]


def test_the_digest_is_of_what_was_read_in_any_order(first: Path) -> None:
    import handrefine as hr

    def digest(*keys: tuple[int, str]) -> str:
        of = ReadDigest()
        sequence = of.watched(hr.read_dataset(first / "data"))
        for key in keys:
            sequence.images[key]()
        return of.hexdigest()

    one, two = (0, "00"), (0, "01")
    assert digest(one, two) == digest(two, one) == digest(one, two, one)
    assert len({digest(), digest(one), digest(two), digest(one, two)}) == 4


def test_a_runs_own_settings_are_a_configuration(first: Path) -> None:
    assert load_config(first / "run" / "config.yaml") == open_run(first / "run").config


def test_a_folder_that_says_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be repeated"):
        parse(["refine", "--rerun", str(tmp_path), "--out", str(tmp_path / "out")])
    with pytest.raises(InputError, match="does not exist"):
        parse(["refine", "--rerun", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])


def test_tasks_are_stored_whole(first: Path) -> None:
    stored = json.loads((first / "run" / "task.json").read_text())
    assert Task.from_mapping(stored).to_mapping() == stored
    provenance = json.loads((first / "run" / "provenance.json").read_text())
    assert set(provenance) == {"command", "versions", "data_sha256"}

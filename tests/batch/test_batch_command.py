"""`handrefine batch` as a user meets it, with the hand rendered: a small dataset of two videos."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule

from handrefine.batch.estimate import estimate
from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings, plan
from handrefine.batch.run import prepare_batch
from handrefine.batch.worker import do_task
from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m_layout import annotation_path
from handrefine.pipeline import run_task
from handrefine.runs.reader import open_run
from handrefine.synthetic.dataset import join_videos
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping(
    {"texture": {"size": 16}, "crop": {"max_size_px": 48}, "schedule": schedule(environment=1, texture=1, joint=2)}
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of one hand before four cameras, three frames each."""
    root = tmp_path_factory.mktemp("videos")
    settings = SyntheticSettings(n_cameras=4, n_frames=3, size=48, texture_size=64)
    synthesize(root / "0", ("right",), settings, 10.0, Config())
    shutil.copytree(root / "0", root / "1")
    join_videos([root / "0", root / "1"], root / "data")
    return root / "data"


def test_a_batch_finds_the_same_digits_as_refine(data: Path, tmp_path: Path) -> None:
    settings = BatchSettings(data=data, clip=2, overlap=1, sequences="*Capture1*", config=CONFIG)
    folder = prepare_batch(settings, tmp_path / "runs")
    names = folder.names()
    assert len(names) == 2
    for name in names:
        state = do_task(folder, name)
        assert (state.status, state.reason) == ("done", None)
        found = open_run(folder.run(name)).only_hand()
        of = folder.task(name)
        assert found.annotation.frames == of.frames
        assert len(found.annotation.views) == of.n_views
        assert found.held_out["cameras"][0]["camera"] == of.task["held_out"][0]
        task = of.ready(tmp_path / "alone" / name)
        run_task(task)
        alone = open_run(task.out).only_hand().annotation
        assert np.array_equal(found.annotation.after.verts_world, alone.after.verts_world)
    assert folder.task(names[0]).task["held_out"] != folder.task(names[1]).task["held_out"]
    # A process that died between its last file and its state: nothing is done twice.
    (folder.root / "states" / f"{names[0]}.json").unlink()
    before = os.stat(folder.run(names[0]) / "metrics.json")
    assert do_task(folder, names[0]).status == "done"
    assert os.stat(folder.run(names[0]) / "metrics.json") == before


def test_the_command_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no path is broken in two
    broken = shutil.copytree(data, tmp_path / "data")
    image = next((broken / "images/test/Capture1").rglob("*.jpg"))
    image.write_bytes(b"no image")
    out, options = tmp_path / "runs", ["--texture.size", "16", "--crop.max-size-px", "48", "--workers", "1"]
    for name, stage in CONFIG.stages.items():
        options += [f"--stages.{name}.iterations", str(min(stage.iterations, 1))]
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(broken), "--out", str(out), "--hands", "right", *options])
    assert ended.value.code == 4
    told = capsys.readouterr().out
    assert "1 of 2 tasks are done, 1 failed" in told
    assert len(re.findall(r"^test\+Capture\S+: (?:done in \d+ s|failed .*)", told, re.MULTILINE)) == 2
    main(["batch", "status", str(out)])
    told = capsys.readouterr().out
    assert "1 done, 1 failed" in told
    assert image.name in told
    failed = [name for name, of in BatchFolder(out).states().items() if of.status == "failed"]
    assert "Capture1" in failed[0]


def test_a_sequence_that_cannot_be_read_is_told_at_the_end(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has nothing that is wanted is no fault."""
    monkeypatch.setattr("handrefine.batch.local.run_locally", lambda *_: None)
    camera = annotation_path(shutil.copytree(data, tmp_path / "data"), "test", "camera")
    known = json.loads(camera.read_text())
    del known["1"]["focal"]
    camera.write_text(json.dumps(known))
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(tmp_path / "data"), "--out", str(tmp_path / "runs")])
    assert ended.value.code == 4
    assert "sequences left out: 1" in capsys.readouterr().out
    hands = annotation_path(shutil.copytree(data, tmp_path / "left"), "test", "MANO_NeuralAnnot")
    known = json.loads(hands.read_text())
    known["1"] = {frame: {"left": of["right"], "right": None} for frame, of in known["1"].items()}
    hands.write_text(json.dumps(known))
    annotation_path(tmp_path / "left", "test", "joint_3d").unlink(missing_ok=True)
    main(["batch", str(tmp_path / "left"), "--out", str(tmp_path / "other"), "--hands", "right"])
    assert "no wanted hand" in capsys.readouterr().out


@pytest.mark.slow
def test_an_estimate_counts_the_iterations_that_were_not_measured(data: Path) -> None:
    many = config_from_mapping(
        {"texture": {"size": 16}, "crop": {"max_size_px": 48}, "schedule": schedule(texture=4, joint=400)}
    )
    few = config_from_mapping(
        {"texture": {"size": 16}, "crop": {"max_size_px": 48}, "schedule": schedule(texture=4, joint=4)}
    )
    found = []
    for config in (few, many):
        settings = BatchSettings(data=data, config=config, sequences="*Capture0*")
        found.append(estimate([task for planned in plan(settings) for task in planned.tasks]))
    assert found[1].seconds > found[0].seconds + 2  # 396 iterations more, each of at least 5 ms
    assert found[0].n_bytes > 1e5

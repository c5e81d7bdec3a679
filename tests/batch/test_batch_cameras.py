"""Cameras that many clips contradict are listed once, with the turn that most of them want."""

import csv
import json
from pathlib import Path

import pytest
from example_run import write_example_run
from tiny_interhand26m import write_dataset

from handrefine.batch.cameras import camera_verdicts, write_cameras
from handrefine.batch.folder import BatchFolder
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.state import TaskState

#: Weight and turn of every camera in each of three clips.
SAID = {
    "steady": [(1.0, [0.1, 0.0, 0.2]), (1.0, [-0.2, 0.1, 0.0]), (0.9, [0.1, 0.1, 0.1])],
    "turned": [(1.0, [5.0, 0.2, 0.0]), (1.0, [5.2, 0.0, 0.1]), (1.0, [4.9, 0.1, 0.0])],
    "restless": [(1.0, [6.0, 0.0, 0.0]), (1.0, [-6.0, 0.0, 0.0]), (1.0, [0.0, 7.0, 0.0])],
    "doubted": [(0.1, None), (0.2, None), (1.0, None)],
}


@pytest.fixture
def folder(tmp_path: Path) -> BatchFolder:
    settings = BatchSettings(data=write_dataset(tmp_path / "data"), hands=("right",), clip=1, overlap=0)
    folder = prepare_batch(settings, tmp_path / "runs")
    for number, name in enumerate(folder.names()):
        write_example_run(folder.run(name))
        entries = [
            {"camera": camera, "weight": said[number][0], "agreement": 1.0, "visible_share": 1.0, "reason": None}
            | ({} if said[number][1] is None else {"rotation_cam_mrad": said[number][1]})
            for camera, said in SAID.items()
        ]
        (folder.run(name) / "cameras.json").write_text(json.dumps(entries))
        folder.write_state(name, TaskState("done", attempts=1))
    return folder


def test_who_disagrees(folder: BatchFolder, tmp_path: Path) -> None:
    tasks = [folder.task(name) for name in folder.names()]
    found = {of.camera: of for of in camera_verdicts(folder, tasks)}
    assert {name for name, of in found.items() if of.disagrees} == {"turned", "doubted"}
    assert list(found)[:2] == ["doubted", "turned"]  # these come first
    assert found["turned"].turn_x_mrad == pytest.approx(5.0)
    assert (found["doubted"].clips, found["doubted"].contradicted, found["doubted"].turn_x_mrad) == (3, 2, None)
    assert found["steady"].rig == "test/Capture5"
    write_cameras(tmp_path / "cameras.csv", list(found.values()))
    with (tmp_path / "cameras.csv").open(newline="") as file:
        rows = {row["camera"]: row for row in csv.DictReader(file)}
    assert (rows["turned"]["turn_x_mrad"], rows["doubted"]["turn_x_mrad"]) == ("5.000", "")


def test_one_clip_is_not_enough(folder: BatchFolder) -> None:
    for name in folder.names()[1:]:
        folder.write_state(name, TaskState())
    assert not any(of.disagrees for of in camera_verdicts(folder, [folder.task(n) for n in folder.names()]))

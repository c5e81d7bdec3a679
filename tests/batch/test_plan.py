"""Which tasks a dataset makes."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_interhand26m import SEQUENCE, annotation_file, documents, write_dataset

from handrefine.batch.folder import BatchFolder
from handrefine.batch.merge import merge
from handrefine.batch.plan import BatchSettings, clips, plan
from handrefine.batch.run import prepare_batch, unreadable
from handrefine.config import Config
from handrefine.errors import InputError
from handrefine.pipeline import read_task
from handrefine.runs.folder import RunFolder
from handrefine.runs.run_lock import RunLock
from handrefine.sequence import FrameId
from handrefine.task import Task

NAME = f"test/Capture5/{SEQUENCE}"


@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 19))
def test_clips_hold_every_frame_and_share_what_they_should(n: int, length: int, overlap: int) -> None:
    if overlap >= length:
        return
    frames = [FrameId(3 * k) for k in range(n)]
    pieces = clips(frames, length, overlap)
    assert max(map(len, pieces)) <= length
    assert sorted({frame for piece in pieces for frame in piece}) == frames
    for a, b in pairwise(pieces):
        assert a[len(a) - overlap :] == b[:overlap]
    shortest = min(map(len, pieces))
    assert max(map(len, pieces)) - shortest <= 1


def test_a_task_is_what_refine_would_be_asked_for(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")  # frames 3, 7, 12; the left hand has MANO at the first two
    (planned,) = plan(BatchSettings(data=data, clip=2, overlap=1, config=Config(seed=4)))
    assert [task.frames for task in planned.tasks] == [(3, 7), (7, 12)]
    first = planned.tasks[0].ready(tmp_path / "run")
    assert first == Task(
        data=data.resolve(),
        out=tmp_path / "run",
        sequence=NAME,
        hands=("right", "left"),
        frames="3,7",
        config=Config(seed=4),
    )
    sequence, _ = read_task(first)
    assert (sequence.name, sequence.frames) == (NAME, (3, 7))
    assert planned.tasks[0].n_views == len(sequence.images) == 4
    assert len({task.name for task in planned.tasks}) == 2


def test_hands_frames_and_cameras_are_those_that_are_there(tmp_path: Path) -> None:
    content = documents()
    for entry in (*content["MANO_NeuralAnnot"]["5"].values(),):
        entry["left"] = None
    del content["joint_3d"]
    data = write_dataset(tmp_path / "data", content)
    (planned,) = plan(BatchSettings(data=data, frames="7:", clip=10))
    (task,) = planned.tasks
    assert (task.task["hands"], task.frames, task.task["held_out"]) == (["right"], (7, 12), [])
    (planned,) = plan(BatchSettings(data=data, hands=("left",)))
    assert (planned.tasks, planned.reason) == ((), "no wanted hand at any wanted frame")


def test_every_camera_judges_in_its_turn(tmp_path: Path) -> None:
    content = documents()
    for name in ("x", "y"):  # four cameras
        for key, values in content["camera"]["5"].items():
            values[name] = content["camera"]["5"][key]["400262"]
        first = [e for e in content["data"]["images"] if e["camera"] == "400262"]
        content["data"]["images"] += [{**entry, "camera": name} for entry in first]
    data = write_dataset(tmp_path / "data", content)
    (planned,) = plan(BatchSettings(data=data, clip=1, overlap=0))
    assert [task.task["held_out"] for task in planned.tasks] == [["400262"], ["410001"], ["x"]]
    assert [task.n_views for task in planned.tasks] == [3, 3, 3]
    (planned,) = plan(BatchSettings(data=data, clip=1, overlap=0, held_out=("x", "y")))
    assert [task.task["held_out"] for task in planned.tasks] == [["x", "y"]] * 3


def two_sequences(root: Path) -> Path:
    """Of which one has no camera's calibration."""
    content = documents()
    lost = [
        {**e, "capture": 6, "file_name": e["file_name"].replace("Capture5", "Capture6")}
        for e in content["data"]["images"]
    ]
    content["data"]["images"] += lost
    write_dataset(root, content)
    (root / "images/test/Capture6").symlink_to(root / "images/test/Capture5")
    return root


def test_a_broken_sequence_stops_no_other(tmp_path: Path) -> None:
    data = two_sequences(tmp_path / "data")
    settings = BatchSettings(data=data)
    folder = prepare_batch(settings, tmp_path / "runs")
    assert len(folder.names()) == 1
    (lost,) = unreadable(folder)
    assert lost.sequence == f"test/Capture6/{SEQUENCE}"
    assert "'6'" in lost.reason
    path = annotation_file(data, "camera")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "6": content["5"]}))
    prepare_batch(settings, tmp_path / "runs", again=True)
    assert unreadable(folder)[0].reason != lost.reason  # the frames of capture 6 have no annotation
    assert [of.sequence for of in plan(BatchSettings(data=data, sequences="*5/*"))] == [NAME]


def test_a_folder_belongs_to_one_batch(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    folder = prepare_batch(BatchSettings(data=data), tmp_path / "runs")
    before = folder.settings.read_bytes()
    assert prepare_batch(BatchSettings(data=data), tmp_path / "runs").names() == folder.names()
    assert folder.settings.read_bytes() == before
    with pytest.raises(InputError, match="other clip, config"):
        prepare_batch(BatchSettings(data=data, clip=5, config=Config(seed=1)), tmp_path / "runs")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(InputError, match="something else"):
        prepare_batch(BatchSettings(data=data), tmp_path / "other")
    with pytest.raises(InputError, match="lie in one another"):
        prepare_batch(BatchSettings(data=data), data / "runs")
    with pytest.raises(InputError, match="no such sequence"):
        prepare_batch(BatchSettings(data=data, sequences="train/*"), tmp_path / "none")
    with pytest.raises(InputError, match="no sequence gives a task"):
        prepare_batch(BatchSettings(data=data, frames="4"), tmp_path / "none")
    with pytest.raises(InputError, match="not the folder of a batch"):
        BatchFolder(tmp_path / "none").names()


def test_a_batch_is_planned_by_one_process_at_a_time_and_not_where_a_run_writes(tmp_path: Path) -> None:
    settings, out = BatchSettings(data=write_dataset(tmp_path / "data")), tmp_path / "runs"
    run = RunFolder.create(out)
    with pytest.raises(InputError, match="another run writes"):
        prepare_batch(settings, out)
    run.close()
    shutil.rmtree(run.partial)
    other = RunLock.take(out, run.partial)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(prepare_batch, settings, out)
        with pytest.raises(FuturesTimeout):  # its own class before Python 3.11
            waiting.result(0.5)
        other.release()
        assert len(waiting.result().names()) == 1
    assert sorted(os.listdir(tmp_path)) == ["data", "runs"]


def test_planning_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    folder = prepare_batch(BatchSettings(data=data, clip=1, overlap=0), tmp_path / "runs")
    folder.settings.unlink()
    assert len(prepare_batch(BatchSettings(data=data), tmp_path / "runs").names()) == 1


@pytest.mark.parametrize(
    "changes", [{"hands": ["right", 0.5]}, {"hands": "right"}, {"held_out": [None]}, {"held_out": 3}], ids=str
)
def test_a_task_whose_names_are_none_is_told_when_it_is_read(tmp_path: Path, changes: dict) -> None:
    """Found by the fuzzer: the page of a batch shows them before the task is begun."""
    folder = prepare_batch(BatchSettings(data=write_dataset(tmp_path / "data")), tmp_path / "runs")
    (name,) = folder.names()
    path = folder.tasks / f"{name}.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "task": stored["task"] | changes}))
    with pytest.raises(InputError, match="file of a task is broken"):
        folder.task(name)


@pytest.mark.parametrize("content", ["[]", '{"settings": 3}', '{"settings": {"data": 3}, "unreadable": []}'])
def test_a_batch_whose_own_file_is_broken_is_told(tmp_path: Path, content: str) -> None:
    """Found by the fuzzer."""
    folder = BatchFolder(tmp_path)
    folder.settings.write_text(content)
    for read in (folder.asked, folder.unreadable, lambda: merge(folder, tmp_path / "out")):
        with pytest.raises(InputError, match="file of a batch is broken"):
            read()

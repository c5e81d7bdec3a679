"""Clips of one person that are done as one: by one process, with states and run folders of their own."""

from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule

from handrefine.batch.folder import BatchTask
from handrefine.batch.persons import joined
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch
from handrefine.batch.state import TaskState
from handrefine.batch.status import BatchStatusNow, TaskRow
from handrefine.batch.waiting import Waiting
from handrefine.batch.worker import do_task
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.person import read_person
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping(
    {
        "texture": {"size": 16},
        "crop": {"max_size_px": 48},
        "schedule": schedule(environment=1, texture=1, joint=3),
    }
)


def clip(name: str, sequence: str) -> BatchTask:
    return BatchTask(name, {}, sequence, (), 4, "anna")


def test_every_sequence_gives_a_clip_before_any_gives_two() -> None:
    tasks = [clip("s0", "s"), clip("s1", "s"), clip("s2", "s"), clip("t0", "t")]
    placed = {of.name: of for of in joined(tasks, 3)}
    assert {of.together for of in placed.values() if not of.after} == {("s0", "t0", "s1")}
    assert (placed["s2"].after, placed["s2"].together) == (("s0",), ())
    assert placed["t0"].begun_by == "s0"
    late = joined([clip("u0", "u")], 3, placed.values())
    assert [(of.after, of.together) for of in late] == [(("s0",), ())]
    assert joined([clip("s0", "s")], 3)[0].together == ()


def test_clips_that_are_done_as_one_are_one_piece_of_the_time_left() -> None:
    group = [BatchTask(name, {}, "s", (), 10, "anna", (), ("a", "b")) for name in ("a", "b")]
    waits = BatchTask("c", {}, "s", (), 10)
    rows = [TaskRow(of, TaskState("done", started=0.0, ended=60.0)) for of in group]
    now = BatchStatusNow(100.0, (*rows, TaskRow(waits, TaskState("running", started=90.0))), ())
    assert now.seconds_left == pytest.approx(30 - 10)


def test_a_group_is_done_by_its_first_and_leaves_out_whom_it_cannot_read(tmp_path: Path) -> None:
    size = SyntheticSettings(n_cameras=2, n_frames=4, size=48, texture_size=64)
    synthesize(tmp_path / "data", ("right",), size, 10.0, Config())
    settings = BatchSettings(
        data=tmp_path / "data", clip=1, overlap=0, share_person="joint", person_clips=3, held_out=(), config=CONFIG
    )
    folder = prepare_batch(settings, tmp_path / "runs")
    first, broken, third, later = folder.names()
    assert folder.task(third).together == (first, broken, third)
    waiting = Waiting(folder, folder.names())
    assert waiting.take() == [first]
    for image in (tmp_path / "data").rglob(f"image{folder.task(broken).frames[0]}.*"):
        if "images" in image.parts:
            image.write_bytes(b"broken")
    assert do_task(folder, first).status == "done"
    states = {name: folder.state(name) for name in folder.names()}
    assert [of.status for of in states.values()] == ["done", "failed", "done", "queued"]
    assert "image" in (states[broken].reason or "")
    waiting.ended(first)
    assert waiting.take() == [later]
    assert "without the person" not in (do_task(folder, later).reason or "")
    person, same, held = (read_person(folder.run(of) / "person.npz") for of in (first, third, later))
    assert np.array_equal(person.shape, same.shape)
    assert np.array_equal(person.textures["right"][..., :3], same.textures["right"][..., :3])
    given = read_person(folder.person(later))
    assert np.array_equal(given.shape, person.shape)
    assert not np.array_equal(held.textures["right"], given.textures["right"])
    # Retried alone, a clip that was left out holds what the others have found.
    folder.write_state(broken, TaskState())
    assert Waiting(folder, [broken]).take() == [broken]
    assert do_task(folder, broken).status == "failed"
    assert np.array_equal(read_person(folder.person(broken)).shape, person.shape)

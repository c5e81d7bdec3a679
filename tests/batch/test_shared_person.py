"""One person over many clips: the first clip gives what is theirs, the others wait for it and hold it."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from short_schedules import schedule
from tiny_interhand26m import documents, write_dataset

from handrefine.batch import local
from handrefine.batch.folder import BatchFolder, BatchTask
from handrefine.batch.local import run_locally
from handrefine.batch.persons import Givers
from handrefine.batch.plan import BatchSettings
from handrefine.batch.run import prepare_batch, run_batch
from handrefine.batch.state import TaskState
from handrefine.batch.waiting import Waiting
from handrefine.batch.worker import do_task
from handrefine.cli.main import main
from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.person import read_person
from handrefine.runs.reader import open_run
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping(
    {
        "texture": {"size": 16},
        "crop": {"max_size_px": 48},
        "surface": {"modes": 6},
        "schedule": schedule(environment=1, texture=1, joint=3),
    }
)
#: A worker that takes its time, notes when it began and ended, and fails where a file says so.
NOTES = """
import json, pathlib, sys, time
root, name = pathlib.Path(sys.argv[1]), sys.argv[2]
note = lambda what: print(what, name, file=open(root / "notes", "a"), flush=True)
note("begun"); time.sleep(0.1); note("ended")
status = "failed" if (root / f"fail_{name}").exists() else "done"
(root / "states").mkdir(exist_ok=True)
(root / "states" / f"{name}.json").write_text(json.dumps({"status": status, "attempts": 1}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> BatchFolder:
    """Three clips of one person, one frame each."""
    settings = BatchSettings(
        data=write_dataset(tmp_path / "data"), clip=1, overlap=0, share_person="sequential", config=CONFIG
    )
    return prepare_batch(settings, tmp_path / "runs")


def in_turn(folder: BatchFolder) -> list[str]:
    """The names of its tasks, the one that gives first."""
    return sorted(folder.names(), key=lambda name: folder.task(name).after)


def test_the_first_clips_of_every_person_give_and_the_others_wait() -> None:
    givers = Givers(2, [BatchTask("a", {}, "s", (), 0, "anna"), BatchTask("b", {}, "s", (), 0)])
    tasks = [
        givers.ordered(BatchTask(name, {}, of, (), 0), subject)
        for name, of, subject in [
            ("c", "s", "anna"),
            ("d", "s", "anna"),
            ("e", "t", None),
            ("f", "u", None),
            ("g", "t", None),
            ("h", "t", None),
        ]
    ]
    assert [task.after for task in tasks] == [(), ("a", "c"), (), (), (), ("e", "g")]
    assert tasks[2].subject == "sequence t"


def test_a_dataset_says_whose_hands_it_shows(tmp_path: Path) -> None:
    content = documents()
    assert read_interhand26m(write_dataset(tmp_path / "0", content)).subject == "test/subject0"
    for entry in content["data"]["images"]:
        del entry["subject"]
    assert read_interhand26m(write_dataset(tmp_path / "1", content)).subject == "test/Capture5"


def test_clips_wait_until_the_one_that_gives_has_ended(
    folder: BatchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        local, "command", lambda folder, name, threads: [sys.executable, "-c", NOTES, str(folder.root), name]
    )
    monkeypatch.setattr(local, "gpus", list)
    monkeypatch.setattr(local, "LOOK_S", 0.02)
    giver, *others = in_turn(folder)
    assert [folder.task(name).after for name in in_turn(folder)] == [(), (giver,), (giver,)]
    (folder.root / f"fail_{giver}").touch()
    states = run_batch(folder, lambda of, names, told: run_locally(of, names, 3, told), lambda name, state: None)
    assert [states[name].status for name in in_turn(folder)] == ["failed", "done", "done"]
    notes = (folder.root / "notes").read_text().splitlines()
    assert notes[:2] == [f"begun {giver}", f"ended {giver}"]
    assert sorted(notes[2:]) == sorted(f"{what} {name}" for what in ("begun", "ended") for name in others)


def test_a_clip_that_gives_under_another_head_is_waited_for_and_taken_over_when_that_dies(
    folder: BatchFolder,
) -> None:
    giver, *others = in_turn(folder)
    waiting = Waiting(folder, folder.names())
    assert waiting.take() == [giver]
    held, let_go = threading.Event(), threading.Event()

    def other_head() -> None:
        with folder.claimed(giver):
            held.set()
            let_go.wait(10)

    head = threading.Thread(target=other_head)
    head.start()
    held.wait(10)
    folder.write_state(giver, TaskState("running", "elsewhere", 1, time.time(), attempts=1))
    waiting.ended(giver)  # our worker found it claimed
    assert waiting.take() == []
    let_go.set()
    head.join()
    assert waiting.take() == [giver]
    folder.write_state(giver, TaskState("done"))
    waiting.ended(giver)
    assert (waiting.take(1), waiting.take(5)) == (others[:1], others[1:])
    assert not waiting


def test_a_later_clip_holds_what_the_first_has_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = SyntheticSettings(n_cameras=3, n_frames=3, size=48, texture_size=64)
    synthesize(tmp_path / "data", ("right",), size, 10.0, Config())
    settings = BatchSettings(
        data=tmp_path / "data", clip=1, overlap=0, share_person="sequential", held_out=(), config=CONFIG
    )
    folder = prepare_batch(settings, tmp_path / "runs")
    giver, later, free = in_turn(folder)
    assert do_task(folder, giver).reason is None
    assert folder.task(later).after == (giver,)
    assert do_task(folder, later).reason is None
    found = read_person(folder.run(giver) / "person.npz")
    held = read_person(folder.run(later) / "person.npz")
    assert np.abs(found.coefficients_m).max() > 0
    assert np.array_equal(held.coefficients_m, found.coefficients_m)
    config = open_run(folder.run(later)).configuration["config"]
    assert Path(config["surface"]["person"]) == folder.person(later)
    # A clip whose giver failed is refined all the same, and says so.
    folder.write_state(giver, TaskState("failed", attempts=1))
    state = do_task(folder, free)
    assert (state.status, state.reason) == ("done", f"refined without the person, whom {giver} could not give")
    main(["batch", "status", str(folder.root)])
    told = capsys.readouterr().out
    assert "gives" in told
    assert "holds" in told
    assert f"held, of {giver}" in folder.page.read_text()


def test_a_person_that_nobody_finds_is_refused(tmp_path: Path) -> None:
    known = replace(CONFIG, surface=replace(CONFIG.surface, person=tmp_path / "person.npz"))
    with pytest.raises(InputError, match="must find the person"):
        BatchSettings(data=tmp_path, share_person="sequential", config=known)
    with pytest.raises(InputError, match="--person-clips"):
        BatchSettings(data=tmp_path, share_person="sequential", person_clips=0, config=CONFIG)

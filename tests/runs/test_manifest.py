"""Overwriting a run removes what a run has written, and nothing else."""

import json
import os
from pathlib import Path, PurePosixPath

import pytest

from handrefine.errors import InputError
from handrefine.io.safe_paths import refuse_overlap
from handrefine.runs.folder import RunFolder
from handrefine.runs.manifest import MARKER, note_written, written_files
from handrefine.runs.owner import owner_of

EARLIER_MARK = "This folder was written by handrefine.\n"


def a_run(path: Path, *names: str, overwrite: bool = False) -> None:
    with RunFolder.create(path, overwrite=overwrite) as folder:
        for name in names:
            folder.path(name).write_text("run")


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def tree(folder: Path) -> dict[str, str]:
    """Every file but the marks, and what it says."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_the_mark_lists_what_the_run_wrote(tmp_path):
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_json("metrics.json", {})
        folder.inside("right").write_json("metrics.json", {})
    outer = json.loads((tmp_path / "run" / MARKER).read_text())["files"]
    assert outer == [MARKER, "metrics.json", f"right/{MARKER}", "right/metrics.json"]
    assert json.loads((tmp_path / "run" / "right" / MARKER).read_text())["files"] == [MARKER, "metrics.json"]


def test_files_of_the_user_stay_where_they_are(tmp_path):
    run = tmp_path / "run"
    a_run(run, "metrics.json", "overlays/a.png", "views/old/deep.png")
    put(run, "notes.txt", "overlays/mine.png", "views/old/mine.png", "data/images/1.jpg")
    (run / "empty").mkdir()
    (run / "link").symlink_to(tmp_path)
    a_run(run, "metrics.json", "overlays/b.png", overwrite=True)
    assert tree(run) == {
        **dict.fromkeys(("metrics.json", "overlays/b.png"), "run"),
        **dict.fromkeys(("notes.txt", "overlays/mine.png", "views/old/mine.png", "data/images/1.jpg"), "mine"),
    }
    assert (run / "empty").is_dir()
    assert (run / "link").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    a_run(run, "metrics.json", overwrite=True)
    assert "overlays/b.png" not in tree(run)
    assert tree(run)["overlays/mine.png"] == "mine"


def test_a_file_in_the_way_of_the_new_run_is_not_replaced(tmp_path):
    run = tmp_path / "run"
    a_run(run, "metrics.json")
    put(run, "holdout.json", "views")
    with pytest.raises(InputError, match=r"not written by a run: holdout\.json, views"):
        a_run(run, "metrics.json", "holdout.json", "views/a.png", overwrite=True)
    assert tree(run) == {"metrics.json": "run", "holdout.json": "mine", "views": "mine"}
    assert tree(tmp_path / ".run.partial") == dict.fromkeys(("metrics.json", "holdout.json", "views/a.png"), "run")


def test_a_run_within_a_run_is_asked_for_its_own_list(tmp_path):
    """A demo's `run/` may have been refined anew; a run that only stands in the demo's folder is the user's."""
    demo = tmp_path / "demo"
    with RunFolder.create(demo) as folder:
        a_run(folder.path("run"), "metrics.json")
        folder.path("data/truth.npz").write_text("run")
    a_run(demo / "run", "metrics.json", "holdout.json", overwrite=True)
    a_run(demo / "second", "metrics.json")
    a_run(demo, "data/truth.npz", overwrite=True)
    assert tree(demo) == {"data/truth.npz": "run", "second/metrics.json": "run"}


def test_a_run_in_the_place_of_a_demo_leaves_the_demo_its_dataset(tmp_path):
    demo = tmp_path / "demo"
    a_run(demo, "data/truth.npz", "data/images/test/1.jpg", "run/metrics.json")
    put(demo, "data/notes.txt")
    a_run(demo, "metrics.json", overwrite=True)
    data = {"data/truth.npz": "run", "data/images/test/1.jpg": "run", "data/notes.txt": "mine"}
    assert tree(demo) == {"metrics.json": "run", **data}
    a_run(demo, "metrics.json", "loss.png", overwrite=True)
    assert tree(demo) == {"metrics.json": "run", "loss.png": "run", **data}


def test_what_is_written_into_a_finished_run_can_be_added(tmp_path):
    a_run(tmp_path / "run", "metrics.json")
    put(tmp_path / "run", "report.html")
    note_written(tmp_path / "run", "report.html")
    a_run(tmp_path / "run", "metrics.json", overwrite=True)
    assert tree(tmp_path / "run") == {"metrics.json": "run"}
    note_written(tmp_path, "report.html")
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("mark", [EARLIER_MARK, '{"files": ["metrics.json", "not', '{"files": 3}', "[1]"])
def test_without_a_list_only_names_of_a_run_go(tmp_path, mark):
    run = tmp_path / "run"
    own = (
        "metrics.json",
        "views/frame3_cam01_after.png",
        "right/report.html",
        "data/annotations/test/InterHand2.6M_test_camera.json",
        f"right/{MARKER}",
    )
    mine = ("notes.txt", "views/mine.png", "right/notes.txt", "data/annotations/test/own.json", "metrics.json.bak")
    put(run, *own, f"right/{MARKER}", *mine)
    (run / MARKER).write_text(mark)
    new = ("metrics.json", "data/truth.npz")
    a_run(run, *new, overwrite=True)
    assert tree(run) == {**dict.fromkeys(new, "run"), **dict.fromkeys(mine, "mine")}


def test_a_list_reaches_nothing_outside_the_folder(tmp_path):
    put(tmp_path, "precious", "elsewhere/precious")
    run = tmp_path / "run"
    a_run(run, "metrics.json")
    (run / "linked").symlink_to(tmp_path / "elsewhere")
    listed = ["../precious", str(tmp_path / "precious"), "linked/precious", "metrics.json"]
    (run / MARKER).write_text(json.dumps({"files": listed}))
    assert {path.as_posix() for path in written_files(run)} == {MARKER, "metrics.json"}
    a_run(run, "metrics.json", overwrite=True)
    assert (tmp_path / "precious").exists()
    assert (tmp_path / "elsewhere" / "precious").exists()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", [".run.partial", ".run.replaced"])
def test_a_foreign_folder_with_a_temporary_name_stays(tmp_path, name, overwrite):
    put(tmp_path / name, "precious")
    if overwrite:
        a_run_elsewhere = tmp_path / "other"
        a_run(a_run_elsewhere, "metrics.json")
        a_run_elsewhere.rename(tmp_path / "run")
    with pytest.raises(InputError, match="temporary folder"):
        a_run(tmp_path / "run", "metrics.json", overwrite=overwrite)
    assert (tmp_path / name / "precious").read_text() == "mine"


def test_a_link_with_a_temporary_name_stays(tmp_path):
    a_run(tmp_path / "other", "metrics.json")
    (tmp_path / ".run.partial").symlink_to(tmp_path / "other")
    with pytest.raises(InputError, match="temporary folder"):
        a_run(tmp_path / "run", "metrics.json")
    assert tree(tmp_path / "other") == {"metrics.json": "run"}


def test_a_replacement_that_died_after_its_renames_is_finished(tmp_path):
    """The old run waits under its other name, some files of the user moved already, some not."""
    run = tmp_path / "run"
    a_run(run, "metrics.json", "loss.png")
    put(run, "notes.txt", "views/mine.png")
    run.rename(tmp_path / ".run.replaced")
    a_run(tmp_path / "new", "metrics.json", "views/a.png")
    (tmp_path / "new").rename(run)
    (tmp_path / ".run.replaced" / "notes.txt").rename(run / "notes.txt")
    with pytest.raises(InputError, match="not empty"):
        RunFolder.create(run)
    assert tree(run) == {
        **dict.fromkeys(("metrics.json", "views/a.png"), "run"),
        **dict.fromkeys(("notes.txt", "views/mine.png"), "mine"),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_cannot_be_moved_back_is_told_and_kept(tmp_path, monkeypatch, caplog):
    run = tmp_path / "run"
    a_run(run, "metrics.json")
    put(run, "notes.txt")

    def busy(*_paths: Path) -> None:
        raise OSError("device busy")

    monkeypatch.setattr(os, "rename", busy)
    a_run(run, "metrics.json", overwrite=True)
    assert tree(run) == {"metrics.json": "run"}
    assert (tmp_path / ".run.replaced" / "notes.txt").read_text() == "mine"
    assert ".run.replaced: device busy" in caplog.text


@pytest.mark.parametrize(
    ("data", "out", "fine"),
    [
        ("demo/data", "demo", False),
        ("demo/data", "demo/data", False),
        ("demo/data", "demo/data/runs/new", False),
        ("demo/data", "demo/run", True),
        ("demo/data", "demo/data2", True),
        ("absent", "absent/run", False),
        ("linked", "demo", False),
        ("linked", "demo/data/run", False),
        ("demo/data", "linked/run", False),
        ("demo/run/../data", "demo", False),
    ],
)
def test_dataset_and_output_must_not_lie_in_one_another(tmp_path, data, out, fine):
    put(tmp_path / "demo" / "data", "precious")
    (tmp_path / "demo" / "run").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "demo" / "data")
    if fine:
        refuse_overlap(tmp_path / data, tmp_path / out)
    else:
        with pytest.raises(InputError, match="lie in one another"):
            refuse_overlap(tmp_path / data, tmp_path / out)


def test_a_list_that_no_run_wrote_is_none(tmp_path: Path) -> None:
    """A folder from elsewhere: nested too deeply, or with numbers that are none."""
    for text in (
        '{"files": ' + 9000 * "[" + 9000 * "]" + "}",
        '{"owner": {"process": 1e999, "host": 1, "started": 2}}',
    ):
        (tmp_path / MARKER).write_text(text)
        assert written_files(tmp_path) == {PurePosixPath(MARKER)}
        assert owner_of(tmp_path) is None

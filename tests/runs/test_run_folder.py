"""A run folder appears complete or not at all."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from handrefine.errors import InputError
from handrefine.io.files import plain, whole_file, write_json, write_yaml
from handrefine.runs.folder import RunFolder


def complete_run(path: Path, content: str, *, overwrite: bool = False) -> None:
    with RunFolder.create(path, overwrite=overwrite) as folder:
        folder.path("overlays/view.txt").write_text(content)


def test_nothing_stands_under_the_name_until_the_run_is_complete(tmp_path):
    target = tmp_path / "new" / "run"
    with RunFolder.create(target) as folder:
        folder.path("a.txt").write_text("a")
        assert not target.exists()
    assert (target / "a.txt").read_text() == "a"
    assert [p.name for p in target.parent.iterdir()] == ["run"]
    assert folder.path("a.txt") == target / "a.txt"


def test_an_empty_folder_may_be_the_target(tmp_path):
    (tmp_path / "run").mkdir()
    complete_run(tmp_path / "run", "new")
    assert (tmp_path / "run" / "overlays" / "view.txt").read_text() == "new"


def test_an_exception_keeps_what_was_written_and_says_where(tmp_path, caplog):
    target = tmp_path / "run"

    def interrupted_run() -> None:
        with RunFolder.create(target) as folder:
            folder.append_log({"iteration": 0})
            raise KeyboardInterrupt

    with caplog.at_level(logging.ERROR), pytest.raises(KeyboardInterrupt):
        interrupted_run()
    partial = tmp_path / ".run.partial"
    assert not target.exists()
    assert (partial / "log.jsonl").read_text() == '{"iteration": 0}\n'
    assert str(partial) in caplog.text


def test_a_folder_with_content_is_refused(tmp_path):
    complete_run(tmp_path / "run", "old")
    with pytest.raises(InputError, match="--overwrite"):
        RunFolder.create(tmp_path / "run")
    assert not (tmp_path / ".run.partial").exists()


def test_overwriting_replaces_the_whole_folder_and_only_at_the_end(tmp_path):
    target = tmp_path / "run"
    with RunFolder.create(target) as folder:
        folder.path("only_old.txt").write_text("old")
    with RunFolder.create(target, overwrite=True) as folder:
        folder.path("new.txt").write_text("new")
        assert (target / "only_old.txt").exists()
    assert sorted(p.name for p in target.iterdir() if not p.name.startswith(".")) == ["new.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_failed_overwriting_run_leaves_the_old_one(tmp_path):
    complete_run(tmp_path / "run", "old")
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path / "run", overwrite=True):
        _ = 1 / 0
    assert (tmp_path / "run" / "overlays" / "view.txt").read_text() == "old"


def test_overwriting_spares_a_folder_that_is_not_ours(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(InputError, match="not written by handrefine"):
        RunFolder.create(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.tex").exists()


def test_an_overwriting_that_died_between_its_two_renames_is_undone(tmp_path):
    complete_run(tmp_path / "run", "old")
    (tmp_path / "run").rename(tmp_path / ".run.replaced")
    with pytest.raises(InputError, match="not empty"):
        RunFolder.create(tmp_path / "run")
    assert (tmp_path / "run" / "overlays" / "view.txt").read_text() == "old"


def test_a_target_filled_in_the_meantime_is_left_alone_and_nothing_is_lost(tmp_path):
    target = tmp_path / "run"
    folder = RunFolder.create(target)
    folder.path("mine.txt").write_text("mine")
    target.mkdir()
    (target / "theirs.txt").write_text("theirs")
    with pytest.raises(InputError, match=r"\.run\.partial"):
        folder.commit()
    assert (target / "theirs.txt").exists()
    assert (tmp_path / ".run.partial" / "mine.txt").exists()


def test_a_file_or_a_mount_point_is_no_output_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        RunFolder.create(tmp_path / "file", overwrite=True)
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder.create(tmp_path / "file" / "run")
    (tmp_path / "mount").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).name == "mount")
    with pytest.raises(InputError, match="mount point"):
        RunFolder.create(tmp_path / "mount")


def test_log_lines_can_be_read_while_the_run_goes_on(tmp_path):
    with RunFolder.create(tmp_path / "run") as folder:
        for iteration in range(3):
            folder.append_log({"iteration": iteration, "loss": float("nan") if iteration == 1 else 0.5})
            lines = folder.path("log.jsonl").read_text().splitlines()
            assert len(lines) == iteration + 1
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [record["loss"] for record in records] == [0.5, None, 0.5]


def test_json_and_yaml_hold_null_where_a_number_is_not_finite(tmp_path):
    value = {
        "nan": np.float32("nan"),
        "array": np.array([[1.0, np.inf], [2.0, 3.0]]),
        "tensor": torch.tensor([1, 2]),
        "path": Path("a/b"),
        "tuple": (True, None, "ü"),
        3: -np.inf,
    }
    expected = {
        "nan": None,
        "array": [[1.0, None], [2.0, 3.0]],
        "tensor": [1, 2],
        "path": "a/b",
        "tuple": [True, None, "ü"],
        "3": None,
    }
    write_json(tmp_path / "x.json", value)
    write_yaml(tmp_path / "x.yaml", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == expected
    assert yaml.safe_load((tmp_path / "x.yaml").read_text(encoding="utf-8")) == expected
    with pytest.raises(TypeError, match="object"):
        plain({"x": object()})


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1})

    def half_a_file() -> None:
        with whole_file(path) as temporary:
            temporary.write_text('{"a":')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_a_file()
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]

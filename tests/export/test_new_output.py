"""New files and folders: whole or not at all, and what is finished is not lost."""

import os
from pathlib import Path

import pytest

from handrefine.errors import InputError
from handrefine.export.new_output import new_folder


def test_a_folder_is_there_once_it_is_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text("a")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new/deep/a.txt").read_text() == "a"
    with pytest.raises(KeyError), new_folder(tmp_path / "other"):
        raise KeyError
    with pytest.raises(InputError, match="exists already"), new_folder(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path) == ["new"]


def test_a_name_that_was_taken_meanwhile_costs_no_work(tmp_path: Path) -> None:
    taken = pytest.raises(InputError, match="cannot take its name")
    with taken as caught, new_folder(tmp_path / "new") as folder:
        (folder / "mine.txt").touch()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs.txt").touch()
    assert str(folder) in str(caught.value)
    assert (folder / "mine.txt").exists()
    assert os.listdir(tmp_path / "new") == ["theirs.txt"]

"""Layouts are recognised by their files; installed packages bring readers of their own."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tiny_datasets import DEXYCB_NAME, write_dexycb, write_hanco, write_ho3d
from tiny_interhand26m import SEQUENCE, documents, write_dataset

from handrefine.datasets.dataset_format import DatasetFormat
from handrefine.datasets.registry import dataset_formats, list_sequences, read_dataset
from handrefine.errors import InputError
from handrefine.sequence import HandAnnotation, HandSequence


@pytest.mark.parametrize(
    ("write", "sequence", "name"),
    [
        (write_dataset, None, f"test/Capture5/{SEQUENCE}"),
        (write_dataset, SEQUENCE, f"test/Capture5/{SEQUENCE}"),
        (write_dataset, f"test/Capture5/{SEQUENCE}", f"test/Capture5/{SEQUENCE}"),
        (write_dexycb, None, DEXYCB_NAME),
        (write_hanco, "12", "0012"),
        (write_ho3d, "MC1", "train/MC1"),
    ],
)
def test_a_layout_is_recognised(tmp_path: Path, write, sequence: str | None, name: str) -> None:
    write(tmp_path)
    assert read_dataset(tmp_path, sequence=sequence).name == name


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (write_dataset, [f"test/Capture5/{SEQUENCE}"]),
        (write_dexycb, [DEXYCB_NAME]),
        (write_hanco, ["0012"]),
        (write_ho3d, ["train/ABF1", "train/MC1"]),
    ],
)
def test_a_dataset_lists_its_sequences_by_names_that_can_be_read(tmp_path: Path, write, names: list[str]) -> None:
    write(tmp_path)
    assert list_sequences(tmp_path) == names
    for name in names:
        assert read_dataset(tmp_path, sequence=name).name == name


def test_sequences_of_which_nothing_was_downloaded_are_not_listed(tmp_path: Path) -> None:
    content = documents()
    for other, split_folder in (("0001_palm", True), ("0002_point", False)):
        entry = dict(content["data"]["images"][0], seq_name=other)
        entry["file_name"] = entry["file_name"].replace(SEQUENCE, other)
        content["data"]["images"].append(entry)
        if split_folder:
            (tmp_path / "images/test" / entry["file_name"]).parent.mkdir(parents=True)
    write_dataset(tmp_path, content)
    assert list_sequences(tmp_path) == [f"test/Capture5/{SEQUENCE}", "test/Capture5/0001_palm"]
    assert list_sequences(tmp_path, "hanco") == []
    with pytest.raises(InputError, match="no reader 'hanko'"):
        list_sequences(tmp_path, "hanko")


def test_an_unknown_layout_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(InputError, match=r"not known(.|\n)*dexycb: calibration/(.|\n)*hanco: rgb/, calib/"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match=r"no reader 'dexycp'(.|\n)*interhand26m, dexycb, hanco, ho3d"):
        read_dataset(tmp_path, format="dexycp")
    with pytest.raises(InputError, match=r"there is no sequence(.|\n)*dataset's own folder"):
        read_dataset(tmp_path, format="dexycb")


def test_a_folder_of_two_layouts_must_be_named(tmp_path: Path) -> None:
    write_hanco(tmp_path)
    write_ho3d(tmp_path)
    with pytest.raises(InputError, match=r"several layouts(.|\n)*hanco, ho3d(.|\n)*--format"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, format="hanco").name == "0012"


def _list_mine(root: Path) -> list[str]:
    return (root / "mine.txt").read_text().split()


def _read_mine(root: Path, *, sequence: str | None = None, cameras=None) -> HandSequence:
    joints = np.zeros((1, 21, 3))
    return HandSequence(f"mine/{sequence}", {}, (0,), {}, {"left": HandAnnotation("left", joints_world=joints)})


MINE = DatasetFormat("mine", "mine.txt", lambda root: (root / "mine.txt").exists(), _list_mine, _read_mine)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a distribution with the given entry points; `tiny_reader` holds what they name."""
    module = ModuleType("tiny_reader")
    module.MINE, module.NOT_A_FORMAT = MINE, "words"  # pyright: ignore[reportAttributeAccessIssue]
    module.CLASH = DatasetFormat("hanco", "", MINE.recognise, _list_mine, _read_mine)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "tiny_reader", module)

    def install(*entries: str) -> None:
        info = tmp_path / "site" / "tiny_reader-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-reader\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[handrefine.readers]\n" + "\n".join(entries) + "\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install


def test_a_reader_from_outside(tmp_path: Path, installed) -> None:
    installed("mine = tiny_reader:MINE")
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine.txt").write_text("a b")
    assert list_sequences(data) == list_sequences(data, "mine") == ["a", "b"]
    assert read_dataset(data, sequence="a").name == "mine/a"
    assert read_dataset(data, format="mine").name == "mine/None"


def test_a_broken_reader_does_not_stop_the_others(installed, caplog: pytest.LogCaptureFixture) -> None:
    installed("gone = no_such_module:FORMAT", "odd = tiny_reader:NOT_A_FORMAT", "mine = tiny_reader:MINE")
    assert set(dataset_formats()) == {"interhand26m", "dexycb", "hanco", "ho3d", "assemblyhands", "arctic", "mine"}
    assert "gone" in caplog.text
    assert "odd" in caplog.text


def test_two_readers_of_one_name(installed) -> None:
    installed("clash = tiny_reader:CLASH")
    with pytest.raises(InputError, match=r"two readers are called 'hanco'(.|\n)*tiny_reader:CLASH"):
        dataset_formats()

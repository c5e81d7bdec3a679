"""Files of checkpoints: whole or refused with a message, and the one before takes over."""

import json
import logging
import zipfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.refinement import checkpoints
from handrefine.refinement.checkpoints import BEFORE, LATEST, VERSION, CheckpointFiles, Checkpoints
from handrefine.state import State, read_state, write_state

RUN: State = {"settings": "a", "data": "b", "pictures": np.full((2, 4), 0.25, np.float32)}


def files(folder: Path, *, own: State = RUN, **settings: Any) -> CheckpointFiles:
    return CheckpointFiles(Checkpoints(folder, resume=True, **settings), own)


def keep(folder: Path, *numbers: int) -> None:
    for number in numbers:
        files(folder).keep(lambda number=number: {"number": number, "values": torch.arange(5.0)}, True)


def loaded(folder: Path, own: State = RUN) -> int | None:
    """The number that the checkpoint holds which is taken."""
    taken: list[State] = []
    files(folder, own=own).load(taken.append)
    return taken[0]["number"] if taken else None


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {
        "nothing": None, "flag": True, "count": 3, "value": 0.1, "text": "\u00e4 b", "nan": float("nan"),
        "list": [1, {"deep": torch.arange(6).reshape(2, 3)}], "empty": torch.zeros(0, 4),
        "array": np.array([[1.5, np.nan]]), "mask": torch.tensor([True, False]), "scalar": torch.tensor(2.5),
    }  # fmt: skip
    write_state(tmp_path / "a.npz", state)
    found = read_state(tmp_path / "a.npz")
    assert {name: found[name] for name in ("nothing", "flag", "count", "value", "text")} == {
        name: state[name] for name in ("nothing", "flag", "count", "value", "text")
    }
    assert np.isnan(found["nan"])
    assert torch.equal(found["list"][1]["deep"], torch.arange(6).reshape(2, 3))
    assert found["empty"].shape == (0, 4)
    assert isinstance(found["array"], np.ndarray)
    assert np.isnan(found["array"][0, 1])
    assert torch.equal(found["mask"], torch.tensor([True, False]))
    assert found["scalar"] == 2.5
    with np.load(tmp_path / "a.npz", allow_pickle=False) as plain:
        assert json.loads(plain["tree"].tobytes())["text"] == "\u00e4 b"
    with pytest.raises(TypeError, match="cannot hold"):
        write_state(tmp_path / "b.npz", {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_of_more_than_two_gibibytes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives have other records from there on; here they have them from the first byte on."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    write_state(tmp_path / "a.npz", {"values": torch.arange(1000.0)})
    monkeypatch.undo()
    content = (tmp_path / "a.npz").read_bytes()
    assert b"PK\6\7" in content
    assert torch.equal(read_state(tmp_path / "a.npz")["values"], torch.arange(1000.0))
    at = content.rfind(b"PK\6\6") + 40
    (tmp_path / "a.npz").write_bytes(content[:at] + (2**40).to_bytes(8, "little") + content[at + 8 :])
    with pytest.raises(InputError, match="too many entries"):
        read_state(tmp_path / "a.npz")


def test_the_latest_is_taken_and_the_one_before_kept(tmp_path: Path) -> None:
    assert loaded(tmp_path) is None
    keep(tmp_path, 1, 2, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEFORE, LATEST]
    assert loaded(tmp_path) == 3
    (tmp_path / LATEST).unlink()  # a process that died between two renames
    assert loaded(tmp_path) == 2


@pytest.mark.parametrize("damage", ["cut", "one byte", "empty", "text"])
def test_a_torn_checkpoint_is_told_and_the_one_before_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    keep(tmp_path, 1, 2)
    path = tmp_path / LATEST
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    changed = {"cut": content[: len(content) // 2], "one byte": content, "empty": b"", "text": b"no archive"}
    path.write_bytes(changed[damage])
    with caplog.at_level(logging.WARNING):
        assert loaded(tmp_path) == 1
    assert "damaged" in caplog.text
    assert str(path) in caplog.text
    (tmp_path / BEFORE).write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        loaded(tmp_path)


def test_every_changed_byte_is_found_or_does_not_matter(tmp_path: Path) -> None:
    """Entries have checksums; what changes nothing that is read may be read."""
    keep(tmp_path, 1)
    path = tmp_path / LATEST
    content, whole = path.read_bytes(), str(read_state(path))
    random = np.random.default_rng(1000)
    for place in random.integers(0, len(content), 300):
        changed = bytearray(content)
        changed[place] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        with suppress(InputError):
            assert str(read_state(path)) == whole


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"settings": "x"}, "other settings or hands"),
        ({"data": "x"}, "other cameras, frames or annotations"),
        ({"pictures": np.full((2, 4), 0.26, np.float32)}, "other pictures or masks"),
        ({"pictures": np.full((3, 4), 0.25, np.float32)}, "other pictures or masks"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path, other: State, told: str) -> None:
    keep(tmp_path, 1)
    with pytest.raises(InputError, match=told) as caught:
        loaded(tmp_path, {**RUN, **other})
    assert "resume with the data and settings" in str(caught.value)
    rounded = {**RUN, "pictures": np.nextafter(RUN["pictures"], 1)}
    assert loaded(tmp_path, rounded) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"version": VERSION + 1}, "newer version"),
        ({"version": VERSION - 1}, "another version"),
        ({"version": VERSION}, "no checkpoint"),
        ({"version": VERSION, "run": RUN}, "no checkpoint"),
        ({"version": VERSION, "run": [1], "state": {}}, "no checkpoint"),
        ({}, "another version"),
    ],
)
def test_what_is_no_checkpoint_of_this_version_is_refused(tmp_path: Path, content: State, told: str) -> None:
    write_state(tmp_path / LATEST, content)
    with pytest.raises(InputError, match=told):
        loaded(tmp_path)


def test_a_state_that_does_not_fit_is_told(tmp_path: Path) -> None:
    keep(tmp_path, 1)

    def load(state: State) -> None:
        raise KeyError("hooks")

    with pytest.raises(InputError, match="does not fit the run"):
        files(tmp_path).load(load)


def test_a_full_disk_costs_the_checkpoint_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "write_state", full)
        keep(tmp_path, 2)
    assert "No space left" in caplog.text
    assert loaded(tmp_path) == 1


def test_checkpoints_are_rare_and_never_cost_more_than_their_share(tmp_path: Path) -> None:
    """The clock ticks at every look at it: a checkpoint takes a second, and so does an iteration without one."""
    seconds = count(0.0, 1.0)
    kept: list[int] = []
    of = CheckpointFiles(Checkpoints(tmp_path, every_s=5.0, most_share=0.1), RUN, clock=lambda: next(seconds))
    for iteration in range(100):
        of.keep(lambda iteration=iteration: kept.append(iteration) or {"number": iteration}, False)
    assert kept[0] == 4
    assert set(np.diff(kept)) == {10}
    of.keep(lambda: kept.append(-1) or {"number": 0}, True)
    assert kept[-1] == -1

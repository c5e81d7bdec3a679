"""Saving cannot lose the work: the annotation comes first, and everything else costs only itself."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_run import made_result

import handrefine as hr
from handrefine.errors import InputError
from handrefine.runs import annotation_file, writer
from handrefine.runs.folder import RunFolder
from handrefine.runs.reader import open_run
from handrefine.runs.result import RunResult
from handrefine.sequence import HandAnnotation, HandSequence

RECORD = {"stage": "joint", "iteration": 0, "loss": 1.0, "terms": {"data": 1.0}, "seconds": 0.1}


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def bug(*_: object, **__: object) -> None:
    raise ZeroDivisionError


@pytest.fixture(scope="module")
def result() -> RunResult:
    return replace(made_result(), records=[RECORD])


@pytest.fixture
def sequence(result: RunResult) -> HandSequence:
    def write_back(sequence: HandSequence, hands: object, folder: Path) -> None:
        folder.mkdir()
        (folder / "annotation.json").write_text("{}")

    cameras = {of.camera.name: of.camera for of in result.cameras}
    annotations = {"right": HandAnnotation("right", mano=result.hands[0].after.mano)}
    return HandSequence(
        name="made",
        cameras=cameras,
        frames=result.hands[0].frames,
        images={},
        annotations=annotations,
        write_back=write_back,
    )


@pytest.mark.parametrize("fault", [no_space, bug])
def test_whatever_cannot_be_written_costs_only_itself(
    result: RunResult, sequence: HandSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable
) -> None:
    broken = {
        "write_texture": "texture.png",
        "write_environment": "environment.exr",
        "loss_curves": "loss.png",
        "write_views": "views",
        "_write_overlays": "overlays",
        "write_camera_weights": "cameras.json",
    }
    for name in broken:
        monkeypatch.setattr(writer, name, fault)
    hr.save_run(result, sequence, tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.hands[0].annotation.frames == result.hands[0].frames
    assert (tmp_path / "run" / "dataset" / "annotation.json").exists()
    told = [message for message in run.warnings if "could not be written; the run goes on without it" in message]
    assert sorted(message.split()[0] for message in told) == sorted(broken.values())
    assert all(("No space left" in message) == (fault is no_space) for message in told)
    assert not list((tmp_path / "run").rglob(f".*{os.getpid()}*"))


def test_a_dataset_that_cannot_be_written_back_costs_only_itself(
    result: RunResult, sequence: HandSequence, tmp_path: Path
) -> None:
    hr.save_run(result, replace(sequence, write_back=no_space), tmp_path / "run")
    assert any(
        message.startswith("dataset could not be written") for message in open_run(tmp_path / "run").warnings
    )


def test_an_annotation_for_which_there_is_no_space_is_rescued(
    result: RunResult, sequence: HandSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    savez = annotation_file.np.savez_compressed

    def full(path: object, **arrays: np.ndarray) -> None:
        savez(path, **arrays)
        if elsewhere not in Path(str(path)).parents:
            no_space()

    monkeypatch.setattr(annotation_file.np, "savez_compressed", full)
    with pytest.raises(InputError, match=r"annotation cannot be written(.*\n)*.*No space left(.*\n)*.*instead"):
        hr.save_run(result, sequence, tmp_path / "run")
    (rescued,) = elsewhere.rglob("annotation.npz")
    np.testing.assert_array_equal(np.load(rescued)["frames"], result.hands[0].frames)
    assert not list(tmp_path.glob("**/run/annotation.npz"))


def test_what_was_killed_while_it_saved_can_be_read(
    result: RunResult, sequence: HandSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handrefine.pipeline.judge", killed)
    with pytest.raises(KeyboardInterrupt):
        hr.save_run(result, sequence, tmp_path / "run")
    (hand,) = open_run(tmp_path / ".run.partial").hands
    np.testing.assert_array_equal(hand.annotation.after.verts_world, result.hands[0].after.verts_world)
    with pytest.raises(InputError, match=r"did not finish(.*\n)*.*the refined annotation is in it"):
        hr.save_run(result, sequence, tmp_path / "run")


def test_a_log_that_cannot_be_written_costs_its_lines_alone(tmp_path: Path, monkeypatch, caplog) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.append_log({"iteration": 0})
        with monkeypatch.context() as patch:
            patch.setattr(folder, "_log", type("Full", (), {"write": no_space, "close": no_space})())
            folder.append_log({"iteration": 1})
        folder._log = None
        folder.append_log({"iteration": 2})
    assert (tmp_path / "run" / "log.jsonl").read_text() == '{"iteration": 0}\n{"iteration": 2}\n'
    assert "No space left" in caplog.text


@pytest.mark.parametrize("step", ["os.replace", "os.fsync"])
def test_a_run_that_cannot_take_its_name_stays_whole_where_it_is(tmp_path: Path, monkeypatch, step: str) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.append_log({"iteration": 0})
        with monkeypatch.context() as patch:
            patch.setattr(step, no_space)
            with pytest.raises(
                InputError, match=r"cannot take its name(.*\n)*.*everything is in .*\.run\.partial"
            ):
                folder.commit()
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "run" / "log.jsonl").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder.create(tmp_path / "closed" / "run")

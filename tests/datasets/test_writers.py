"""DexYCB, HanCo and HO-3D: what is written and laid over the dataset is read as it was refined; the rest stays."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_datasets import COMPONENTS, DEXYCB_NAME, SERIALS, make_truth, write_dexycb, write_hanco, write_ho3d

from handrefine.datasets.registry import dataset_format, read_dataset
from handrefine.errors import InputError
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters


def refined_as(valid: list[bool], *, flat_hand_mean: bool) -> HandAnnotation:
    """Another hand, with its joints; numbers that nobody may use where it is not valid."""
    truth = make_truth(len(valid), flat_hand_mean=flat_hand_mean, seed=9)
    mano = ManoParameters(truth.pose_aa, truth.shape, truth.trans_m, flat_hand_mean=flat_hand_mean)
    joints = np.where(np.array(valid)[:, None, None], truth.joints, np.nan)
    return HandAnnotation("right", mano, np.array(valid), joints, np.tile(np.array(valid)[:, None], (1, 21)))


def laid_over(data: Path, sequence: HandSequence, refined: HandAnnotation, out: Path) -> HandSequence:
    """The sequence read from the dataset with the written files over it."""
    write_all = dataset_format(data).write_all
    assert write_all is not None
    written = write_all([(sequence, {"right": refined})], out)
    assert sorted(path for path in out.rglob("*") if path.is_file()) == sorted(written)
    shutil.copytree(data, out / "over", symlinks=True)
    for path in written:
        target = out / "over" / path.relative_to(out)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return read_dataset(out / "over", sequence=sequence.name)


def same_where(valid: list[bool], found: HandAnnotation, refined: HandAnnotation, old: HandAnnotation) -> None:
    for name in ("pose_aa", "shape", "trans_m"):
        now, new, before = (getattr(of.mano, name) for of in (found, refined, old))
        np.testing.assert_allclose(now[valid], new[valid], atol=1e-9)
        np.testing.assert_array_equal(now[~np.array(valid)], before[~np.array(valid)])
    np.testing.assert_allclose(found.joints_world[valid], refined.joints_world[valid], atol=1e-9)


def test_hanco(tmp_path: Path) -> None:
    data, valid = tmp_path / "data", [False, True]
    write_hanco(data)
    sequence, refined = read_dataset(data), refined_as(valid, flat_hand_mean=False)
    again = laid_over(data, sequence, refined, tmp_path / "out")
    same_where(valid, again.annotation("right"), refined, sequence.annotation("right"))
    assert not (tmp_path / "out/shape/0012/00000003.json").exists()  # frames 3 and 7


def test_ho3d(tmp_path: Path) -> None:
    """Every camera that annotates a frame gets it, in its own frame; one that does not is left alone."""
    data, valid = tmp_path / "data", [True, False]
    write_ho3d(data)
    sequence, refined = read_dataset(data, sequence="ABF1"), refined_as(valid, flat_hand_mean=True)
    again = laid_over(data, sequence, refined, tmp_path / "out")
    same_where(valid, again.annotation("right"), refined, sequence.annotation("right"))
    for camera in ("ABF11", "ABF12"):
        other = read_dataset(tmp_path / "out/over", sequence="ABF1", cameras=[camera]).annotation("right")
        np.testing.assert_allclose(other.joints_world[0], refined.joints_world[0], atol=1e-9)
    written = "train/ABF11/meta/0000.pkl"
    before, after = (pickle.loads((root / written).read_bytes()) for root in (data, tmp_path / "out"))
    assert list(before) == list(after)
    assert before["objName"] == after["objName"]
    assert b"numpy._core" not in (tmp_path / "out" / written).read_bytes()
    assert not list((tmp_path / "out").glob("train/*/meta/0005.pkl"))


def test_ho3d_leaves_a_camera_alone_that_says_nothing(tmp_path: Path) -> None:
    data, valid = tmp_path / "data", [False, True]
    write_ho3d(data)
    sequence = read_dataset(data, sequence="ABF1")
    laid_over(data, sequence, refined_as(valid, flat_hand_mean=True), tmp_path / "out")
    written = sorted(path.parent.parent.name for path in (tmp_path / "out").glob("train/*/meta/*.pkl"))
    assert written == ["ABF11", "ABF12"]


def test_dexycb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, valid = tmp_path / "data", [False, True, False]
    write_dexycb(data)
    sequence, refined = read_dataset(data), refined_as(valid, flat_hand_mean=False)
    with pytest.raises(InputError, match="principal components"):
        laid_over(data, sequence, refined, tmp_path / "none")
    refined = replace(refined, mano_pca=refined.mano.in_components(COMPONENTS))
    again = laid_over(data, sequence, refined, tmp_path / "out")
    old, found = sequence.annotation("right"), again.annotation("right")
    in_angles = replace(found, mano=found.mano_pca.in_angles(COMPONENTS))
    shared = replace(old.mano_pca, shape=np.tile(refined.mano.shape[1], (3, 1)))  # one shape for all frames
    same_where(valid, in_angles, refined, replace(old, mano=shared.in_angles(COMPONENTS)))
    assert found.mano_valid.tolist() == old.mano_valid.tolist() == [True, True, False]
    assert "1 frames that keep their pose get the new shape" in caplog.text
    labels = sorted(path.name for path in (tmp_path / "out").glob(f"{DEXYCB_NAME}/*/labels_*.npz"))
    assert labels == ["labels_000001.npz"] * len(SERIALS)
    poses = [np.load(root / DEXYCB_NAME / "pose.npz") for root in (data, tmp_path / "out")]
    assert np.array_equal(poses[0]["pose_y"], poses[1]["pose_y"])


@pytest.mark.parametrize("write", [write_hanco, write_ho3d, write_dexycb])
def test_the_dataset_is_not_overwritten(tmp_path: Path, write) -> None:
    write(tmp_path)
    name = {"write_ho3d": "ABF1"}.get(write.__name__)
    sequence = read_dataset(tmp_path, sequence=name)
    with pytest.raises(InputError, match="overwrite the dataset"):
        sequence.write_back(sequence, {"right": sequence.annotation("right")}, tmp_path)
    with pytest.raises(InputError, match="this layout"):
        sequence.write_back(replace(sequence, source=None), {}, tmp_path / "out")

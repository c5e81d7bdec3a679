"""Where datasets show objects: DexYCB's segments, and the masks of ours in InterHand2.6M's layout."""

from pathlib import Path

import numpy as np
import pytest
from tiny_datasets import DEXYCB_NAME, SERIALS, write_dexycb

from handrefine.datasets.dexycb import read_dexycb
from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.sequence import Camera, HandAnnotation


def test_dexycb_shows_objects_and_no_hand(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    sequence = read_dexycb(tmp_path)
    assert set(sequence.objects) == set(sequence.images)
    assert not sequence.masks
    region = sequence.objects[0, SERIALS[0]]()
    assert region.sum() == 70
    assert region[18:25, 10:20].all()
    labels = tmp_path / DEXYCB_NAME / SERIALS[0] / "labels_000000.npz"
    with np.load(labels) as old:
        np.savez(labels, joint_3d=old["joint_3d"], seg=old["seg"][:-1])
    with pytest.raises(InputError, match="not that of its image"):
        read_dexycb(tmp_path).objects[0, SERIALS[0]]()


def test_interhand26m_keeps_objects_where_there_are_any(tmp_path: Path) -> None:
    camera = Camera("a", 40, 30, 50.0, 51.0, 19.5, 15.25, np.eye(3), np.array([0.0, 0.0, 0.9]))
    thing = np.zeros((30, 40), bool)
    thing[5:9, 7:20] = True
    images = {(k, "a"): np.full((30, 40, 3), 0.2, np.float32) for k in range(2)}
    joints = np.random.default_rng(0).normal(0, 0.02, (2, 21, 3))
    annotation = HandAnnotation("right", joints_world=joints, joint_valid=np.ones((2, 21), bool))
    video = NewVideo(objects={(1, "a"): thing})
    write_interhand26m_sequence(
        tmp_path / "data", {"a": camera}, (3, 8), images, {"right": annotation}, video=video
    )
    sequence = read_dataset(tmp_path / "data")
    assert set(sequence.objects) == {(1, "a")}
    assert not sequence.masks
    np.testing.assert_array_equal(sequence.objects[1, "a"](), thing)

"""AssemblyHands: a tiny capture in its layout, made of the toolkit's formulas, lands where these draw it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_datasets as tiny
import torch
from tiny_assemblyhands import CAMERAS, FRAMES, SEQUENCE, write_assemblyhands

from handrefine.datasets.registry import list_sequences, read_dataset
from handrefine.errors import InputError


def test_a_moving_camera_sees_the_hand_where_the_toolkit_draws_it(tmp_path: Path) -> None:
    joints = write_assemblyhands(tmp_path)
    assert list_sequences(tmp_path) == [f"val/{SEQUENCE}"]
    sequence = read_dataset(tmp_path)
    assert sequence.frames == FRAMES
    assert set(sequence.annotations) == {"right"}
    np.testing.assert_allclose(sequence.annotation("right").joints_world, joints, atol=1e-9)
    assert len(sequence.images) == 6
    assert set(sequence.cameras) == set(CAMERAS)
    for k, frame in enumerate(FRAMES):
        for c, camera in enumerate(CAMERAS):
            seen = sequence.cameras[camera].at(frame)
            assert seen.grey
            assert sequence.images[k, seen.name]().shape == (*tiny.SIZE[::-1], 3)
            pose = np.linalg.inv(tiny.rig(2 + k)[-2:][c])
            drawn = tiny.drawn_px(joints[k] @ pose[:3, :3].T + pose[:3, 3])
            np.testing.assert_allclose(seen.project(torch.as_tensor(joints[k])).numpy(), drawn + 0.5, atol=1e-6)


def test_one_of_the_cameras(tmp_path: Path) -> None:
    write_assemblyhands(tmp_path)
    sequence = read_dataset(tmp_path, cameras=[CAMERAS[1]])
    assert set(sequence.cameras) == {CAMERAS[1]}
    assert sequence.cameras[CAMERAS[1]].path.frames == FRAMES


def test_what_is_missing_is_left_out_or_told(tmp_path: Path) -> None:
    write_assemblyhands(tmp_path)
    path = tmp_path / "annotations" / "val" / "assemblyhands_val_joint_3d_v1-1.json"
    document = json.loads(path.read_text())
    del document["annotations"][SEQUENCE]["000122"]
    path.write_text(json.dumps(document))
    sequence = read_dataset(tmp_path)
    assert sequence.frames == (120, 124)
    assert any("have no joints" in finding.what for finding in sequence.findings)
    path.unlink()
    with pytest.raises(InputError, match="an annotation is missing"):
        read_dataset(tmp_path)

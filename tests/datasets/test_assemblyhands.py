"""AssemblyHands: a tiny capture in its layout, made of the toolkit's formulas, lands where these draw it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_datasets as tiny
import torch

from handrefine.datasets.registry import list_sequences, read_dataset
from handrefine.errors import InputError

SEQUENCE = "nusar-2021_action_both_9012-c07c"
CAMERAS = ("HMC_21110305", "HMC_21176875")
FRAMES = (120, 122, 124)
#: Ours among theirs: every finger from its tip to its root, the wrist last.
THEIRS = [*(4 * finger + 4 - k for finger in range(5) for k in range(4)), 0]


def write(root: Path) -> np.ndarray:
    """Two cameras that move from frame to frame; the right hand's joints in metres."""
    joints = tiny.make_truth(len(FRAMES), flat_hand_mean=False).joints
    extrinsics, annotations = {}, {}
    for k, frame in enumerate(FRAMES):
        poses = [np.linalg.inv(pose) for pose in tiny.rig(2 + k)[-2:]]
        extrinsics[f"{frame:06d}"] = {
            f"{camera}_mono10bit": np.column_stack([pose[:3, :3], pose[:3, 3] * 1000]).tolist()
            for camera, pose in zip(CAMERAS, poses, strict=True)
        }
        both = np.zeros((42, 3))
        both[:21] = joints[k, THEIRS] * 1000
        annotations[f"{frame:06d}"] = {"world_coord": both.tolist(), "joint_valid": [1] * 21 + [0] * 21}
        for camera in CAMERAS:
            folder = root / "images" / "ego_images_rectified" / "val" / SEQUENCE / f"{camera}_mono10bit"
            tiny.picture(folder / f"{frame:06d}.jpg", grey=True)
    intrinsics = {f"{camera}_mono10bit": tiny.K.tolist() for camera in CAMERAS}
    calibration = {SEQUENCE: {"intrinsics": intrinsics, "extrinsics": extrinsics}}
    (root / "annotations" / "val").mkdir(parents=True)
    for kind, document in (
        ("ego_calib", {"calibration": calibration}),
        ("joint_3d", {"annotations": {SEQUENCE: annotations}}),
    ):
        (root / "annotations" / "val" / f"assemblyhands_val_{kind}_v1-1.json").write_text(json.dumps(document))
    return joints


def test_a_moving_camera_sees_the_hand_where_the_toolkit_draws_it(tmp_path: Path) -> None:
    joints = write(tmp_path)
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
    write(tmp_path)
    sequence = read_dataset(tmp_path, cameras=[CAMERAS[1]])
    assert set(sequence.cameras) == {CAMERAS[1]}
    assert sequence.cameras[CAMERAS[1]].path.frames == FRAMES


def test_what_is_missing_is_left_out_or_told(tmp_path: Path) -> None:
    write(tmp_path)
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

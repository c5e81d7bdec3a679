"""The InterHand2.6M reader: units, order, conventions, what may be missing, and what may not."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_interhand26m import CAMERAS, FRAMES, annotation_file, documents, image_file, write_dataset

from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.errors import InputError
from handrefine.sequence import JOINT_NAMES


def test_the_whole_capture(tmp_path):
    sequence = read_interhand26m(write_dataset(tmp_path))
    assert sequence.name == "test/Capture5/0000_fist"
    assert sequence.frames == FRAMES
    assert set(sequence.images) == {(k, c) for k in range(3) for c in CAMERAS}
    assert set(sequence.masks) == {(0, CAMERAS[0])}
    assert sequence.images[0, CAMERAS[1]]().shape == (30, 40, 3)
    assert sequence.masks[0, CAMERAS[0]]().dtype == bool
    assert {name: c.grey for name, c in sequence.cameras.items()} == {CAMERAS[0]: False, CAMERAS[1]: True}


def test_projection_is_the_datasets_own_half_a_pixel_on(tmp_path):
    """x_cam = camrot (X - campos), u = f x / z + c with pixel centres at whole numbers."""
    sequence, content = read_interhand26m(write_dataset(tmp_path)), documents()
    camera, X_mm = content["camera"]["5"], np.array([30.0, -40.0, 50.0])
    for name in CAMERAS:
        x = np.array(camera["camrot"][name]) @ (X_mm - camera["campos"][name])
        expected = x[:2] / x[2] * camera["focal"][name] + camera["princpt"][name] + 0.5
        found = sequence.cameras[name].project(torch.as_tensor(X_mm / 1000)[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("side", "name", "row"),
    [
        ("right", "wrist", 20),
        ("right", "thumb4", 0),
        ("right", "thumb1", 3),
        ("right", "index1", 7),
        ("right", "pinky4", 16),
        ("left", "wrist", 41),
        ("left", "middle2", 31),
        ("left", "ring3", 34),
    ],
)
def test_joint_order_and_unit(tmp_path, side, name, row):
    annotation = read_interhand26m(write_dataset(tmp_path)).annotation(side)
    theirs = np.array(documents()["joint_3d"]["5"]["7"]["world_coord"][row]) / 1000
    np.testing.assert_allclose(annotation.joints_world[1, JOINT_NAMES.index(name)], theirs)


def test_validity_of_joints_and_hands(tmp_path):
    sequence = read_interhand26m(write_dataset(tmp_path))
    right, left = sequence.annotation("right"), sequence.annotation("left")
    assert list(np.flatnonzero(~right.joint_valid[0])) == [JOINT_NAMES.index("index4")]
    assert left.joint_valid.all()
    assert right.mano_valid.tolist() == [True] * 3
    assert left.mano_valid.tolist() == [True, True, False]
    hand = documents()["MANO_NeuralAnnot"]["5"]["7"]["right"]
    np.testing.assert_array_equal(right.mano.pose_aa[1], hand["pose"])
    np.testing.assert_array_equal(right.mano.trans_m[1], hand["trans"])
    assert right.mano.flat_hand_mean is False


def test_missing_views_frames_and_mano_are_tolerated(tmp_path):
    content = documents()
    del content["MANO_NeuralAnnot"], content["joint_3d"]["5"]["7"]
    write_dataset(tmp_path, content)
    image_file(tmp_path, CAMERAS[0], 3).unlink()
    for camera in CAMERAS:
        image_file(tmp_path, camera, 12).unlink()
    sequence = read_interhand26m(tmp_path)
    assert sequence.frames == (3, 7)
    assert set(sequence.images) == {(0, CAMERAS[1]), (1, CAMERAS[0]), (1, CAMERAS[1])}
    right = sequence.annotation("right")
    assert right.mano is None
    assert right.joint_valid[0].any()
    assert not right.joint_valid[1].any()


def test_some_cameras_and_frames(tmp_path):
    sequence = read_interhand26m(write_dataset(tmp_path), cameras=[CAMERAS[1]], frames=[12, 3])
    assert (sequence.frames, list(sequence.cameras)) == ((3, 12), [CAMERAS[1]])
    with pytest.raises(InputError, match=r"no camera 99"):
        read_interhand26m(tmp_path, cameras=["99"])
    with pytest.raises(InputError, match=r"no frame 4"):
        read_interhand26m(tmp_path, frames=[3, 4])


def test_several_sequences_must_be_told_apart(tmp_path):
    content = documents()
    second = dict(content["data"]["images"][0], seq_name="0001_palm", frame_idx=99)
    second["file_name"] = second["file_name"].replace("0000_fist", "0001_palm")
    content["data"]["images"].append(second)
    write_dataset(tmp_path, content)
    assert read_interhand26m(tmp_path).frames == FRAMES  # the other one was never downloaded
    (tmp_path / "images/test" / second["file_name"]).parent.mkdir(parents=True)
    with pytest.raises(
        InputError,
        match=r"several sequences(.|\n)*, Capture5/0001_palm(.|\n)*--sequence Capture5/0000_fist",
    ):
        read_interhand26m(tmp_path)
    assert read_interhand26m(tmp_path, sequence="0000_fist").frames == FRAMES
    with pytest.raises(InputError, match=r"no InterHand2\.6M capture '6'"):
        read_interhand26m(tmp_path, sequence="Capture6/0000_fist")


def _joints(content):
    return content["joint_3d"]["5"]["7"]


FAULTS = {
    "missing camera": (lambda c: c["camera"]["5"]["focal"].pop(CAMERAS[1]), r"key is missing: '410001'.*focal"),
    "NaN camera": (
        lambda c: c["camera"]["5"]["campos"].update({CAMERAS[0]: [0, math.nan, 0]}),
        "not a finite.*campos",
    ),
    "no rotation": (lambda c: c["camera"]["5"]["camrot"].update({CAMERAS[0]: [[1, 1, 1]] * 3}), "not a rotation"),
    "missing capture": (lambda c: c["camera"].clear(), "key is missing: '5'.*camera.json"),
    "20 joints": (lambda c: _joints(c)["world_coord"].pop(), "wrong shape.*joint_3d.*frame 7.*42x3.*41x3"),
    "wrong flags": (lambda c: _joints(c)["joint_valid"].pop(), "wrong shape.*frame 7, joint_valid"),
    "no flags": (lambda c: _joints(c).pop("joint_valid"), "key is missing: 'joint_valid'.*frame 7"),
    "NaN joint": (
        lambda c: _joints(c)["world_coord"].__setitem__(9, [math.nan] * 3),
        "joint is not finite.*frame 7",
    ),
    "NaN pose": (
        lambda c: c["MANO_NeuralAnnot"]["5"]["12"]["right"]["pose"].__setitem__(5, math.nan),
        "not a finite.*MANO_NeuralAnnot.json, capture 5, frame 12, right, pose",
    ),
    "no pose": (
        lambda c: c["MANO_NeuralAnnot"]["5"]["12"]["right"].pop("trans"),
        "key is missing: 'trans'.*frame 12",
    ),
    "words": (lambda c: c["MANO_NeuralAnnot"]["5"]["12"]["right"].update(shape="round"), "numbers were expected"),
    "no width": (lambda c: c["data"]["images"][2].pop("width"), "key is missing: 'width'.*entry 2"),
    "no images": (lambda c: c["data"].pop("images"), "key is missing: 'images'.*data.json"),
    "two sizes": (lambda c: c["data"]["images"][2].update(width=41), "differ in size.*frame 12, camera 400262"),
    "frame name": (lambda c: c["data"]["images"][2].update(frame_idx="last"), "frame number.*entry 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_dataset_says_where(tmp_path, fault):
    damage, message = FAULTS[fault]
    content = documents()
    damage(content)
    with pytest.raises(InputError, match="(?s)" + message):
        read_interhand26m(write_dataset(tmp_path, content))


def test_a_nan_where_no_joint_is_valid_does_not_matter(tmp_path):
    content = documents()
    _joints(content)["world_coord"][4] = [math.nan] * 3
    joints = read_interhand26m(write_dataset(tmp_path, content)).annotation("right").joints_world
    assert np.isfinite(joints).all()


def test_empty_folders_and_broken_files(tmp_path):
    with pytest.raises(InputError, match=r"no InterHand2\.6M split"):
        read_interhand26m(tmp_path)
    root = write_dataset(tmp_path / "data")
    annotation_file(root, "joint_3d").write_text(json.dumps(documents()["joint_3d"])[:500])
    with pytest.raises(InputError, match=r"not valid JSON(.|\n)*joint_3d\.json"):
        read_interhand26m(root)
    annotation_file(root, "joint_3d").unlink()
    annotation_file(root, "MANO_NeuralAnnot").unlink()
    with pytest.raises(InputError, match="neither a joint nor a MANO annotation"):
        read_interhand26m(root)
    for path in root.glob("images/**/*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="none of the sequence's images is on disk"):
        read_interhand26m(root)


def test_a_truncated_jpeg_is_found_when_it_is_read(tmp_path):
    sequence = read_interhand26m(write_dataset(tmp_path))
    path = image_file(tmp_path, CAMERAS[0], 3)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"ends too early(.|\n)*image3\.jpg"):
        sequence.images[0, CAMERAS[0]]()

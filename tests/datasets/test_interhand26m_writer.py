"""Written annotations differ from the dataset only in what was refined; a new video comes back as it was."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_interhand26m import FRAMES, annotation_file, documents, write_dataset

from handrefine.colour import srgb8_to_linear
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_merge import Changes
from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.datasets.interhand26m_writer import write_interhand26m_annotation
from handrefine.errors import InputError
from handrefine.sequence import Camera, HandAnnotation, ManoParameters


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "data")


def _other(annotation: HandAnnotation) -> HandAnnotation:
    rng = np.random.default_rng(7)
    n = len(annotation.joints_world)
    mano = ManoParameters(*(rng.normal(size=(n, k)) for k in (48, 10, 3)))
    return replace(annotation, mano=mano, joints_world=rng.normal(size=(n, 21, 3)))


def _written(out, kind):
    return json.loads(annotation_file(out, kind).read_text())


def test_unchanged_values_come_back_to_the_last_digit(dataset, tmp_path):
    sequence = read_interhand26m(dataset)
    unchanged = {"right": replace(sequence.annotation("right"), joints_world=None)}
    paths = write_interhand26m_annotation(sequence, unchanged, tmp_path / "out")
    assert paths == [annotation_file(tmp_path / "out", "MANO_NeuralAnnot")]
    assert _written(tmp_path / "out", "MANO_NeuralAnnot") == documents()["MANO_NeuralAnnot"]


def test_what_was_read_is_written_as_it_was(dataset, tmp_path):
    """Both hands, joints and MANO: keys, order, units and every digit."""
    sequence = read_interhand26m(dataset)
    sequence.write_back(sequence, sequence.annotations, tmp_path / "out")
    for kind in ("MANO_NeuralAnnot", "joint_3d"):
        assert annotation_file(tmp_path / "out", kind).read_text() == annotation_file(dataset, kind).read_text()


def test_only_refined_entries_change(dataset, tmp_path):
    sequence = read_interhand26m(dataset, frames=FRAMES[:2])
    refined = _other(sequence.annotation("right"))
    refined = replace(refined, mano_valid=np.array([True, False]))
    write_interhand26m_annotation(sequence, {"right": refined}, tmp_path / "out")

    mano, original = _written(tmp_path / "out", "MANO_NeuralAnnot"), documents()["MANO_NeuralAnnot"]
    assert mano["5"]["3"]["right"]["pose"] == refined.mano.pose_aa[0].tolist()
    assert mano["5"]["3"]["right"] != original["5"]["3"]["right"]
    mano["5"]["3"]["right"] = original["5"]["3"]["right"]
    assert mano == original

    joints, before = _written(tmp_path / "out", "joint_3d"), documents()["joint_3d"]
    for frame in ("3", "7"):
        changed = np.any(np.array(joints["5"][frame]["world_coord"]) != before["5"][frame]["world_coord"], axis=1)
        assert list(np.flatnonzero(~changed)) == [4, *range(21, 42)]  # not the invalid joint, not the other hand
        joints["5"][frame]["world_coord"] = before["5"][frame]["world_coord"]
    assert joints == before


def test_the_reader_takes_what_the_writer_gives(dataset, tmp_path):
    sequence = read_interhand26m(dataset)
    refined = {side: _other(a) for side, a in sequence.annotations.items()}
    refined["right"] = replace(refined["right"], joint_valid=np.ones((3, 21), bool))
    write_interhand26m_annotation(sequence, refined, tmp_path / "out")
    again = read_interhand26m(dataset, refined=tmp_path / "out")
    assert again.annotation("right").joint_valid.all()
    for side, annotation in refined.items():
        found, valid = again.annotation(side), annotation.mano_valid
        assert found.mano_valid.tolist() == valid.tolist()
        np.testing.assert_array_equal(found.mano.pose_aa[valid], annotation.mano.pose_aa[valid])
        np.testing.assert_array_equal(found.mano.shape[valid], annotation.mano.shape[valid])
        np.testing.assert_allclose(found.joints_world, annotation.joints_world, rtol=1e-14)
    assert set(again.images) == set(sequence.images)


def test_a_dataset_without_mano_gets_a_file(tmp_path):
    content = documents()
    del content["MANO_NeuralAnnot"]
    sequence = read_interhand26m(write_dataset(tmp_path / "data", content))
    refined = replace(_other(sequence.annotation("left")), mano_valid=None, joints_world=None)
    write_interhand26m_annotation(sequence, {"left": refined}, tmp_path / "out")
    found = read_interhand26m(tmp_path / "data", refined=tmp_path / "out")
    np.testing.assert_array_equal(found.annotation("left").mano.trans_m, refined.mano.trans_m)
    assert found.annotation("right").mano is None


def test_nothing_wrong_or_half_is_written(dataset, tmp_path):
    sequence = read_interhand26m(dataset)
    good = sequence.annotation("right")
    nan = replace(good, mano=replace(good.mano, trans_m=np.full((3, 3), np.nan)))
    short = HandAnnotation("right", joints_world=good.joints_world[:2])
    flat = replace(good, mano=replace(good.mano, flat_hand_mean=True))
    for bad, message in ((nan, "not finite"), (short, "wrong length"), (flat, "mean pose")):
        with pytest.raises(InputError, match=message):
            write_interhand26m_annotation(sequence, {"right": bad}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="overwrite"):
        write_interhand26m_annotation(sequence, {"right": good}, dataset)
    with pytest.raises(InputError, match="InterHand"):
        write_interhand26m_annotation(replace(sequence, source=None), {"right": good}, tmp_path / "out")


def _video():
    """Two cameras, two frames, a missing view, a left hand with joints and one frame of MANO."""
    rng = np.random.default_rng(0)
    R = np.array([[0.8, 0.0, -0.6], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]])
    cameras = {
        "00": Camera("00", 40, 30, 50.0, 51.0, 19.5, 15.25, np.eye(3), np.array([0.0, 0.1, 0.9])),
        "410001": Camera("410001", 32, 48, 60.0, 58.0, 17.0, 24.0, R, np.array([0.0, 0.0, 1.0]), grey=True),
    }
    keys = [(0, "00"), (1, "00"), (1, "410001")]
    images = {
        k: srgb8_to_linear(np.full((cameras[k[1]].height, cameras[k[1]].width, 3), 40 * (n + 1), np.uint8))
        for n, k in enumerate(keys)
    }
    masks = {(0, "00"): rng.random((30, 40)) > 0.5}
    annotation = HandAnnotation(
        "left",
        ManoParameters(*(rng.normal(size=(2, n)) for n in (48, 10, 3))),
        np.array([True, False]),
        rng.uniform(-0.1, 0.1, (2, 21, 3)),
        rng.random((2, 21)) > 0.2,
    )
    return cameras, (5, 9), images, masks, annotation


@pytest.mark.parametrize("lossless", [True, False])
def test_a_new_video_comes_back(tmp_path, lossless):
    cameras, frames, images, masks, annotation = _video()
    write_interhand26m_sequence(
        tmp_path / "v",
        cameras,
        frames,
        images,
        {"left": annotation},
        masks=masks,
        video=NewVideo(lossless=lossless),
    )
    found = read_interhand26m(tmp_path / "v")
    assert (found.frames, list(found.annotations)) == (frames, ["left"])
    assert list(tmp_path.iterdir()) == [tmp_path / "v"]
    for name, camera in cameras.items():
        again = found.cameras[name]
        assert (again.width, again.height, again.grey) == (camera.width, camera.height, camera.grey)
        np.testing.assert_allclose(again.intrinsics, camera.intrinsics, rtol=1e-14)
        np.testing.assert_allclose(again.t_cam_world, camera.t_cam_world, atol=1e-14)
        np.testing.assert_array_equal(again.R_cam_world, camera.R_cam_world)
    assert set(found.images) == set(images)
    for key, image in images.items():
        np.testing.assert_allclose(found.images[key](), image, atol=0 if lossless else 0.01)
    np.testing.assert_array_equal(found.masks[0, "00"](), masks[0, "00"])
    left = found.annotation("left")
    assert left.mano_valid.tolist() == [True, False]
    np.testing.assert_array_equal(left.mano.pose_aa[0], annotation.mano.pose_aa[0])
    np.testing.assert_array_equal(left.joint_valid, annotation.joint_valid)
    valid = annotation.joint_valid
    np.testing.assert_allclose(left.joints_world[valid], annotation.joints_world[valid], atol=1e-15)


def _disk_full(*_args, **_kwargs):
    raise OSError("disk full")


def test_a_new_video_replaces_nothing_and_is_whole_or_not_there(tmp_path, monkeypatch):
    cameras, frames, images, _, annotation = _video()
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "mine.txt").write_text("")
    with pytest.raises(InputError, match="not empty"):
        write_interhand26m_sequence(tmp_path / "v", cameras, frames, images, {"left": annotation})
    monkeypatch.setattr("json.dumps", _disk_full)
    with pytest.raises(OSError, match="disk full"):
        write_interhand26m_sequence(tmp_path / "w", cameras, frames, images, {"left": annotation})
    assert [p.name for p in tmp_path.iterdir()] == ["v"]


def test_other_entries_keep_their_bytes(tmp_path):
    """Spaces, spellings of numbers and characters beyond ASCII; frames and captures that are new come last."""
    content = documents()
    del content["MANO_NeuralAnnot"]["9"]
    root = write_dataset(tmp_path / "data", content)
    path = annotation_file(root, "MANO_NeuralAnnot")
    before = json.loads(path.read_text())
    odd = '{ "9": {"4": {"wer": "Größe \\u00e9",  "x": 1E-3}} ,\n "5" : {%s}\n}\n'
    frames = {frame: json.dumps(entry) for frame, entry in before["5"].items()}
    path.write_text(odd % ", ".join(f'"{frame}" : {text}' for frame, text in frames.items()), encoding="utf-8")
    sequence = read_interhand26m(root)
    refined = replace(_other(sequence.annotation("right")), mano_valid=np.array([False, True, False]))
    write_interhand26m_annotation(sequence, {"right": refined}, tmp_path / "out")
    written = json.loads(annotation_file(tmp_path / "out", "MANO_NeuralAnnot").read_text())["5"]["7"]
    assert written["right"]["pose"] == refined.mano.pose_aa[1].tolist()
    frames["7"] = json.dumps(written)
    expected = odd % ", ".join(f'"{frame}" : {text}' for frame, text in frames.items())
    assert annotation_file(tmp_path / "out", "MANO_NeuralAnnot").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("{}", '{"5": {"7": 1}, "6": {"8": 2}}'),
        ('{"5": {}}', '{"5": {"7": 1}, "6": {"8": 2}}'),
        ('{"6": { "1": [ 2 ] } }\n', '{"6": { "1": [ 2 ], "8": 2 }, "5": {"7": 1} }\n'),
        ('{"5": {"7": {}, "9": 0}, "6": {}}', '{"5": {"7": 1, "9": 0}, "6": {"8": 2}}'),
        ('{"a": {} }', '{"a": {}, "5": {"7": 1}, "6": {"8": 2} }'),
        ('\ufeff{"5": {"é": 1, "7": 2}}', '\ufeff{"5": {"é": 1, "7": 1}, "6": {"8": 2}}'),
    ],
)
def test_new_entries_find_their_place(tmp_path, original, expected):
    path = tmp_path / "a.json"
    path.write_text(original, encoding="utf-8")
    changes = Changes(path, {"5": {"7": 1}}).joined(Changes(path, {"6": {"8": 2}}))
    with (tmp_path / "b.json").open("wb") as out:
        changes.write(out)
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == expected

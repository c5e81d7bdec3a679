"""Where datasets show objects, and where their meshes stand."""

# Positions of frames are plain numbers here.
# pyright: reportArgumentType=false, reportMissingImports=false

import pickle
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_datasets import DEXYCB_NAME, SERIALS, K, write_dexycb, write_hanco, write_ho3d

from handrefine.datasets.dexycb import read_dexycb
from handrefine.datasets.hanco import read_hanco
from handrefine.datasets.ho3d import read_ho3d
from handrefine.datasets.interhand26m_video_writer import NewVideo, write_interhand26m_sequence
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.sequence import Camera, HandAnnotation
from handrefine.things import Thing, region_of


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


def test_interhand26m_keeps_meshes_with_their_poses(tmp_path: Path) -> None:
    """A quad of 40 x 20 mm, 0.5 m before the camera at one frame; unmasked views get their region from it."""
    camera = Camera("a", 40, 30, 50.0, 51.0, 19.5, 15.25, np.eye(3), np.array([0.0, 0.0, 0.3]))
    turn = Rotation.from_rotvec([0.0, 0.0, np.pi / 2]).as_matrix()
    quad = np.array([[-0.02, -0.01, 0.0], [0.02, -0.01, 0.0], [0.02, 0.01, 0.0], [-0.02, 0.01, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    nowhere = np.full((1, 3, 3), np.nan), np.full((1, 3), np.nan)
    thing = Thing(
        "quad",
        lambda: (quad, faces),
        np.concatenate([turn[None], nowhere[0]]),
        np.concatenate([[[0.03, -0.02, 0.2]], nowhere[1]]),
    )
    images = {(k, "a"): np.full((30, 40, 3), 0.2, np.float32) for k in range(2)}
    joints = np.random.default_rng(0).normal(0, 0.02, (2, 21, 3))
    annotation = HandAnnotation("right", joints_world=joints, joint_valid=np.ones((2, 21), bool))
    root = tmp_path / "data"
    write_interhand26m_sequence(
        root, {"a": camera}, (3, 8), images, {"right": annotation}, video=NewVideo(things=[thing])
    )
    sequence = read_dataset(root)
    (found,) = sequence.things
    assert found.known.tolist() == [True, False]
    np.testing.assert_allclose(found.verts_world(0), thing.verts_world(0), atol=1e-8)
    np.testing.assert_array_equal(found.mesh()[1], faces)
    assert not sequence.with_frames([1]).things[0].known.any()
    assert set(sequence.objects) == {(0, "a")}
    v, u = np.nonzero(sequence.objects[0, "a"]())
    middle_px, half_px = np.array([19.5 + 50 * 0.06, 15.25 - 51 * 0.04]), np.array([50 * 0.02, 51 * 0.04])
    np.testing.assert_allclose([u.min(), v.min()], middle_px - half_px, atol=1.0)
    np.testing.assert_allclose([u.max() + 1, v.max() + 1], middle_px + half_px, atol=1.0)
    (mesh,) = (root / "objects").rglob("quad.obj")
    mesh.with_suffix(".json").write_text('{"3": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]}')
    with pytest.raises(InputError, match="no rigid motion"):
        read_dataset(root)
    mesh.with_suffix(".json").unlink()
    assert any("mesh without poses" in finding.what for finding in read_dataset(root).findings)


def test_dexycbs_meshes_stand_where_the_world_says(tmp_path: Path) -> None:
    """`pose_y` is (x, y, z, w) and a translation in the world; the identity is nobody's pose."""
    write_dexycb(tmp_path)
    sequence = read_dexycb(tmp_path)
    assert not sequence.things
    assert any("meshes of objects" in finding.what for finding in sequence.findings)
    mesh = tmp_path / "models/002_master_chef_can/textured_simple.obj"
    mesh.parent.mkdir(parents=True)
    mesh.write_text("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nf 1/1 2/2 3/3\n")
    path = tmp_path / DEXYCB_NAME / "pose.npz"
    with np.load(path) as old:
        pose_y = np.zeros((3, 1, 7))
        pose_y[:, 0, 3] = 1.0
        pose_y[1, 0] = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5), 0.02, 0.03, 0.4]
        np.savez(path, pose_m=old["pose_m"], pose_y=pose_y)
    (thing,) = read_dexycb(tmp_path).things
    assert thing.name == "002_master_chef_can"
    assert thing.known.tolist() == [False, True, False]
    np.testing.assert_allclose(thing.verts_world(1)[1:], [[0.02, 0.13, 0.4], [-0.08, 0.03, 0.4]], atol=1e-9)


def test_hancos_foreground_that_is_no_hand_is_an_object(tmp_path: Path) -> None:
    write_hanco(tmp_path)
    assert not read_hanco(tmp_path).objects
    hand = iio.imread(tmp_path / "mask_hand/0012/cam0/00000003.jpg")
    foreground = np.zeros_like(hand)
    foreground[5:35, 20:50] = 255
    (tmp_path / "mask_fg/0012/cam0").mkdir(parents=True)
    iio.imwrite(tmp_path / "mask_fg/0012/cam0/00000003.jpg", foreground, quality=100)
    sequence = read_hanco(tmp_path)
    assert set(sequence.objects) == {(0, "cam0")}
    region = sequence.objects[0, "cam0"]()
    assert not (region & sequence.masks[0, "cam0"]()).any()
    assert region[6:9, 22:48].all()
    assert region[12:28, 42:48].all()


def test_ho3ds_objects_are_where_the_toolkit_draws_them(tmp_path: Path) -> None:
    """A quad of 40 x 20 mm, turned by a right angle, 0.5 m before the camera in OpenGL's axes."""
    write_ho3d(tmp_path)
    for path in (tmp_path / "train/MC1/meta").iterdir():
        meta = pickle.loads(path.read_bytes())
        turned = np.array([[0.0], [0.0], [np.pi / 2]])
        path.write_bytes(
            pickle.dumps({**meta, "objRot": turned, "objTrans": np.array([0.02, 0.01, -0.5])}, protocol=2)
        )
    sequence = read_ho3d(tmp_path, sequence="MC1")
    assert not sequence.objects
    assert any("meshes of objects" in finding.what for finding in sequence.findings)
    corners = "v -0.02 -0.01 0\nv 0.02 -0.01 0\nv 0.02 0.01 0\nv -0.02 0.01 0\nf 1/1 2/2 3/3 4/4\n"
    (tmp_path / "models/003_cracker_box").mkdir(parents=True)
    (tmp_path / "models/003_cracker_box/textured_simple.obj").write_text(corners)
    sequence = read_ho3d(tmp_path, sequence="MC1")
    assert set(sequence.objects) == set(sequence.images)
    region = sequence.objects[0, "MC1"]()
    v, u = np.nonzero(region)
    half_px = np.array([0.01, 0.02]) / 0.5 * K[[0, 1], [0, 1]]
    middle_px = np.array([0.02, -0.01]) / 0.5 * K[[0, 1], [0, 1]] + K[:2, 2]
    np.testing.assert_allclose([u.min(), v.min()], middle_px - half_px, atol=1.0)
    np.testing.assert_allclose([u.max(), v.max()], middle_px + half_px, atol=1.0)
    # In the world, which is the only camera's frame here, it stands in the same pixels.
    (thing,) = sequence.things
    assert thing.known.all()
    np.testing.assert_array_equal(region_of([thing], 0, sequence.cameras["MC1"]), region)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"objRot": "quarter"}, ""),
        ({"objTrans": {}}, ""),
        ({}, "f 1 2 99999999999999999999"),
        ({}, "v 0 0"),
        ({}, "v 0 0 1e300"),
        ({}, "f 1 2 9"),
    ],
    ids=str,
)
def test_an_object_that_is_none_is_told(tmp_path: Path, changes: dict[str, object], line: str) -> None:
    """Found by the fuzzer."""
    write_ho3d(tmp_path)
    for path in (tmp_path / "train/MC1/meta").iterdir():
        meta = pickle.loads(path.read_bytes())
        path.write_bytes(pickle.dumps({**meta, "objTrans": np.array([0.0, 0.0, -0.5]), **changes}, protocol=2))
    mesh = tmp_path / "models/003_cracker_box/textured_simple.obj"
    mesh.parent.mkdir(parents=True)
    mesh.write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n{line}\n")
    with pytest.raises(InputError, match=mesh.name if line else "meta"):
        read_ho3d(tmp_path, sequence="MC1").objects[0, "MC1"]()

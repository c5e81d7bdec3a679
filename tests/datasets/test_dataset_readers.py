"""DexYCB, HanCo and HO-3D: a known hand, seen through the reader's cameras, lands where the toolkits draw it."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_datasets import (
    COMPONENTS,
    DEXYCB_NAME,
    SERIALS,
    SIZE,
    K,
    Truth,
    drawn_px,
    joints_of,
    picture,
    rig,
    write_dexycb,
    write_hanco,
    write_ho3d,
)

from handrefine.datasets.dexycb import read_dexycb
from handrefine.datasets.hanco import read_hanco
from handrefine.datasets.ho3d import read_ho3d
from handrefine.errors import InputError
from handrefine.sequence import HandSequence, ManoParameters


def check_projection(sequence: HandSequence, truth: Truth, poses: dict[str, np.ndarray], frame: int = 0) -> None:
    """Joints in pixels, through the reader's world, against the toolkit's drawing; ours are half a pixel on."""
    annotation = next(iter(sequence.annotations.values()))
    for name, pose in poses.items():
        expected = drawn_px(truth.seen_from(pose).joints[frame]) + 0.5
        found = sequence.cameras[name].project(torch.as_tensor(annotation.joints_world[frame]))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def check_mano(mano: ManoParameters, sequence: HandSequence, valid: list[bool]) -> None:
    """The parameters, posed by the hand model, give the joints that the dataset has in its world."""
    annotation = next(iter(sequence.annotations.values()))
    assert annotation.mano_valid.tolist() == valid
    joints, _ = joints_of(mano.pose_aa, mano.shape, mano.trans_m, flat_hand_mean=mano.flat_hand_mean)
    np.testing.assert_allclose(joints[valid], annotation.joints_world[valid], atol=1e-6)


def test_dexycb(tmp_path: Path) -> None:
    truth = write_dexycb(tmp_path)
    sequence = read_dexycb(tmp_path)
    assert (sequence.name, sequence.frames, tuple(sequence.cameras)) == (DEXYCB_NAME, (0, 1, 2), SERIALS)
    assert set(sequence.images) == {(k, s) for k in range(3) for s in SERIALS} - {(0, SERIALS[1])}
    assert sequence.images[0, SERIALS[0]]().shape == (SIZE[1], SIZE[0], 3)
    assert (sequence.fix_left_shape, sequence.official_mano) == (False, True)
    check_projection(sequence, truth, dict(zip(SERIALS, rig(2), strict=True)), frame=1)
    annotation = sequence.annotation("right")
    assert annotation.mano is None
    check_mano(annotation.mano_pca.in_angles(COMPONENTS), sequence, [True, True, False])
    np.testing.assert_allclose(
        annotation.mano_pca.in_angles(COMPONENTS).pose_aa[:2], truth.pose_aa[:2], atol=1e-12
    )
    assert annotation.joint_valid.all(axis=1).tolist() == [True, True, False]


def test_dexycb_names_and_cameras(tmp_path: Path) -> None:
    write_dexycb(tmp_path)
    sequence = read_dexycb(tmp_path, sequence="20200709_141754", cameras=[SERIALS[1]])
    assert (sequence.frames, list(sequence.cameras)) == ((1, 2), [SERIALS[1]])
    other = tmp_path / "20200813-subject-02" / "20200813_145341"
    other.mkdir(parents=True)
    (other / "meta.yml").write_text((tmp_path / DEXYCB_NAME / "meta.yml").read_text())
    with pytest.raises(InputError, match=r"several sequences(.|\n)*subject-02/20200813_145341(.|\n)*--sequence"):
        read_dexycb(tmp_path)
    assert read_dexycb(tmp_path, sequence=DEXYCB_NAME).name == DEXYCB_NAME
    with pytest.raises(InputError, match="no camera 99"):
        read_dexycb(tmp_path, sequence=DEXYCB_NAME, cameras=["99"])


def _yaml(path: Path, **changes: object) -> None:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def _nan_pose(root: Path) -> None:
    pose = np.zeros((3, 1, 51))
    pose[1, 0, 7] = np.nan
    np.savez(root / DEXYCB_NAME / "pose.npz", pose_m=pose)


DEXYCB_FAULTS = {
    "NaN pose": (_nan_pose, "not a finite.*pose.npz, pose_m"),
    "no hand": (
        lambda r: np.savez(r / DEXYCB_NAME / "pose.npz", pose_m=np.zeros((3, 1, 51))),
        "no hand is annotated.*pose.npz",
    ),
    "lost frames": (lambda r: _yaml(r / DEXYCB_NAME / "meta.yml", num_frames=4), "wrong shape.*4x1x51.*3x1x51"),
    "torn archive": (
        lambda r: (r / DEXYCB_NAME / "pose.npz").write_bytes((r / DEXYCB_NAME / "pose.npz").read_bytes()[:900]),
        "damaged.*pose.npz",
    ),
    "no pose": (lambda r: (r / DEXYCB_NAME / "pose.npz").unlink(), "missing.*pose.npz"),
    "no YAML": (lambda r: (r / DEXYCB_NAME / "meta.yml").write_text("{serials: ["), "not valid YAML.*meta.yml"),
    "no extrinsics": (
        lambda r: _yaml(r / "calibration/extrinsics_20200702_151821/extrinsics.yml", extrinsics={}),
        "key is missing.*836212060125.*extrinsics.yml",
    ),
    "no intrinsics": (
        lambda r: next((r / "calibration/intrinsics").glob("839*")).unlink(),
        "no intrinsics.*839512060362_640x480",
    ),
    "third hand": (lambda r: _yaml(r / DEXYCB_NAME / "meta.yml", mano_sides=["middle"]), "unknown side.*middle"),
    "sides": (lambda r: _yaml(r / DEXYCB_NAME / "meta.yml", mano_sides=["left", "right"]), "mano_calib"),
}


@pytest.mark.parametrize("fault", DEXYCB_FAULTS)
def test_a_damaged_dexycb_says_where(tmp_path: Path, fault: str) -> None:
    damage, message = DEXYCB_FAULTS[fault]
    write_dexycb(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match="(?s)" + message):
        read_dexycb(tmp_path)


def test_hanco(tmp_path: Path) -> None:
    truth = write_hanco(tmp_path)
    sequence = read_hanco(tmp_path)
    assert (sequence.name, sequence.frames, list(sequence.cameras)) == ("0012", (3, 7), ["cam0", "cam1"])
    check_projection(sequence, truth, dict(zip(("cam0", "cam1"), rig(2), strict=True)))
    check_mano(sequence.annotation("right").mano, sequence, [True, True])
    assert list(sequence.masks) == [(0, "cam0")]
    mask = sequence.masks[0, "cam0"]()
    assert mask[12:28, 22:38].all()
    assert not mask[:8].any()
    assert mask.sum() == pytest.approx(400, abs=20)
    assert read_hanco(tmp_path, sequence="12", cameras=["cam1"]).name == "0012"


def test_hanco_crops_become_one_camera(tmp_path: Path) -> None:
    """Pixel (x, y) of a crop cut 9 and 4 px further on is pixel (x + 9, y + 4) of the first one's."""
    truth = write_hanco(tmp_path, crops=True)
    sequence = read_hanco(tmp_path)
    camera = sequence.cameras["cam0"]
    assert (camera.width, camera.height) == (SIZE[0] + 9, SIZE[1] + 4)
    shown = camera.project(torch.as_tensor(sequence.annotation("right").joints_world))
    first, second = sequence.images[0, "cam0"](), sequence.images[1, "cam0"]()
    assert first.shape == second.shape == (SIZE[1] + 4, SIZE[0] + 9, 3)
    np.testing.assert_array_equal(first[: SIZE[1], : SIZE[0]], second[4:, 9:])  # the files are equal
    assert not first[SIZE[1] :].any()
    assert not second[:4].any()
    cropped = K - [[0, 0, 9], [0, 0, 4], [0, 0, 0]]
    joints_cam = truth.seen_from(rig(1)[0]).joints
    np.testing.assert_allclose(shown[0], drawn_px(joints_cam[0]) + 0.5, atol=1e-9)
    np.testing.assert_allclose(shown[1], drawn_px(joints_cam[1], cropped) + 0.5 + [9, 4], atol=1e-9)


def test_hanco_may_lack_files(tmp_path: Path) -> None:
    write_hanco(tmp_path)
    (tmp_path / "shape/0012/00000007.json").unlink()
    (tmp_path / "rgb/0012/cam1/00000003.jpg").unlink()
    picture(tmp_path / "rgb/0012/cam1/00000007.jpg", grey=True)
    sequence = read_hanco(tmp_path)
    assert (1, "cam1") in sequence.images
    assert (0, "cam1") not in sequence.images
    assert {name: c.grey for name, c in sequence.cameras.items()} == {"cam0": False, "cam1": True}
    check_mano(sequence.annotation("right").mano, sequence, [True, False])


def _hanco(root: Path, kind: str, change) -> None:
    path = root / kind / "0012/00000007.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


HANCO_FAULTS = {
    "NaN pose": (
        lambda c: c["poses"][0].__setitem__(3, float("nan")),
        "shape",
        "not a finite.*00000007.json, poses",
    ),
    "no shape": (lambda c: c.pop("shapes"), "shape", "key is missing: 'shapes'"),
    "20 joints": (lambda c: c.pop(), "xyz", "wrong shape.*21x3.*20x3"),
    "moving camera": (lambda c: c["M"][1][0].__setitem__(3, 0.3), "calib", "camera moves.*cam1, frames 3 and 7"),
    "no camera": (lambda c: c["K"].pop(), "calib", "no calibration.*00000007.json, K.*cam1"),
    "no focal length": (lambda c: c["K"][0][0].__setitem__(0, 0), "calib", "camera matrix is impossible"),
    "far crop": (lambda c: c["K"][0][0].__setitem__(2, 1e5), "calib", "too far apart"),
}


@pytest.mark.parametrize("fault", HANCO_FAULTS)
def test_a_damaged_hanco_says_where(tmp_path: Path, fault: str) -> None:
    change, kind, message = HANCO_FAULTS[fault]
    write_hanco(tmp_path)
    _hanco(tmp_path, kind, change)
    with pytest.raises(InputError, match="(?s)" + message):
        read_hanco(tmp_path)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)])
def test_ho3d_with_several_cameras(tmp_path: Path, order: tuple[int, ...]) -> None:
    truth = write_ho3d(tmp_path, order=order)
    sequence = read_ho3d(tmp_path, sequence="ABF1")
    names = ["ABF10", "ABF11", "ABF12"]
    assert (sequence.name, sequence.frames, list(sequence.cameras)) == ("train/ABF1", (0, 5), names)
    annotation = sequence.annotation("right")
    np.testing.assert_allclose(annotation.joints_world, truth.joints, atol=1e-9)
    np.testing.assert_allclose(annotation.mano.trans_m, truth.trans_m, atol=1e-9)
    assert annotation.mano.flat_hand_mean
    check_projection(sequence, truth, dict(zip(names, rig(3), strict=True)))
    check_mano(annotation.mano, sequence, [True, True])  # the second frame is told by ABF11


def test_ho3d_reads_the_order_of_cameras_in_the_way_in_which_they_agree(tmp_path: Path) -> None:
    truth = write_ho3d(tmp_path)
    np.savetxt(tmp_path / "calibration/ABF1/calibration/cam_orders.txt", np.argsort((1, 2, 0)))
    sequence = read_ho3d(tmp_path, sequence="ABF1")
    np.testing.assert_allclose(sequence.annotation("right").joints_world, truth.joints, atol=1e-9)
    check_projection(sequence, truth, dict(zip(sequence.cameras, rig(3), strict=True)))


def test_ho3d_with_one_camera_lives_in_its_frame(tmp_path: Path) -> None:
    truth = write_ho3d(tmp_path)
    sequence = read_ho3d(tmp_path, sequence="train/MC1")
    camera = sequence.cameras["MC1"]
    np.testing.assert_array_equal(camera.R_cam_world, np.eye(3))
    in_camera = truth.seen_from(rig(1)[0])
    np.testing.assert_allclose(sequence.annotation("right").joints_world, in_camera.joints, atol=1e-9)
    check_projection(sequence, in_camera, {"MC1": np.eye(4)})
    check_mano(sequence.annotation("right").mano, sequence, [True, True])
    assert (in_camera.joints[..., 2] > 0).all()


def test_ho3d_saved_anew_with_protocol_5(tmp_path: Path) -> None:
    truth = write_ho3d(tmp_path)
    for path in tmp_path.glob("train/*/meta/*.pkl"):
        path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=5))
    annotation = read_ho3d(tmp_path, sequence="ABF1").annotation("right")
    np.testing.assert_allclose(annotation.joints_world, truth.joints, atol=1e-9)


def test_cameras_of_ho3d_that_contradict_each_other(tmp_path: Path) -> None:
    write_ho3d(tmp_path, disturb_m=0.05)
    with pytest.raises(InputError, match=r"contradict(.|\n)*20 mm(.|\n)*--cameras ABF10"):
        read_ho3d(tmp_path, sequence="ABF1")
    assert list(read_ho3d(tmp_path, sequence="ABF1", cameras=["ABF12"]).cameras) == ["ABF12"]


def _meta(root: Path, **changes: object) -> None:
    for path in root.glob("train/MC1/meta/*.pkl"):
        path.write_bytes(pickle.dumps({**pickle.loads(path.read_bytes()), **changes}))


class _RunsCode:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("owned"),)


HO3D_FAULTS = {
    "NaN": (lambda r: _meta(r, handTrans=np.array([0, np.nan, 0])), "not a finite.*0000.pkl, handTrans"),
    "PCA": (lambda r: _meta(r, handPose=np.zeros(9)), "wrong shape.*handPose.*48.*9"),
    "wrist only": (lambda r: _meta(r, handJoints3D=np.zeros(3)), "no hand is fully annotated.*evaluation"),
    "ragged": (lambda r: _meta(r, handJoints3D=[[1], [1, 2]]), "numbers were expected.*handJoints3D"),
    "beyond all numbers": (lambda r: _meta(r, handTrans=[10**400, 0, 0]), "numbers were expected.*handTrans"),
    "objects": (lambda r: _meta(r, handBeta=np.array([None] * 10)), "annotation file is damaged.*array's type"),
    "code": (lambda r: _meta(r, handBeta=_RunsCode()), "annotation file asks for pathlib.*not run.*pkl"),
    "torn": (
        lambda r: [p.write_bytes(p.read_bytes()[:300]) for p in r.glob("train/MC1/meta/*.pkl")],
        "annotation file is damaged.*0000.pkl",
    ),
}


@pytest.mark.parametrize("fault", HO3D_FAULTS)
def test_a_damaged_ho3d_says_where(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    damage, message = HO3D_FAULTS[fault]
    write_ho3d(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match="(?s)" + message):
        read_ho3d(tmp_path, sequence="MC1")
    assert not (tmp_path / "owned").exists()


def test_a_broken_picture_is_found(tmp_path: Path) -> None:
    write_ho3d(tmp_path)
    path = tmp_path / "train/MC1/rgb/0005.jpg"
    path.write_bytes(path.read_bytes()[:400])
    sequence = read_ho3d(tmp_path, sequence="MC1")
    with pytest.raises(InputError, match=r"broken or ends too early(.|\n)*0005\.jpg"):
        sequence.images[1, "MC1"]()
    (tmp_path / "train/MC1/rgb/0000.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"image file is broken(.|\n)*0000\.jpg"):
        read_ho3d(tmp_path, sequence="MC1")

"""Tiny captures in the layouts of DexYCB, HanCo and HO-3D, written by hand: nothing here uses the code under test.

The hand is the open hand, which stands for MANO; its truth is told in the world frame.
"""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch
import yaml
from scipy.spatial.transform import Rotation

from handrefine.hand.model import load_hand_model

SIZE = (64, 48)
K = np.array([[70.0, 0, 30.5], [0, 72.0, 25.0], [0, 0, 1]])
#: Stands for the model's principal components.
COMPONENTS = np.linalg.qr(np.random.default_rng(5).normal(size=(45, 45)))[0]
#: Columns of MANO's 16 joints and the tips, as HO-3D orders them, among ours.
HO3D_ORDER = [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20]


@dataclass(frozen=True, eq=False)
class Truth:
    """A hand at F frames in some frame; J is the root joint of its shape."""

    pose_aa: np.ndarray
    shape: np.ndarray
    trans_m: np.ndarray
    joints: np.ndarray
    root: np.ndarray

    def seen_from(self, world_from_cam: np.ndarray) -> "Truth":
        """The same hand in the frame of a camera."""
        R, t = world_from_cam[:3, :3].T, -world_from_cam[:3, :3].T @ world_from_cam[:3, 3]
        pose_aa = self.pose_aa.copy()
        pose_aa[:, :3] = (Rotation.from_matrix(R) * Rotation.from_rotvec(pose_aa[:, :3])).as_rotvec()
        trans_m = (self.root + self.trans_m) @ R.T + t - self.root
        return replace(self, pose_aa=pose_aa, trans_m=trans_m, joints=self.joints @ R.T + t)


def make_truth(frames: int, *, flat_hand_mean: bool, seed: int = 0) -> Truth:
    rng = np.random.default_rng(seed)
    pose_aa, trans_m = rng.normal(0, 0.3, (frames, 48)), rng.normal(0, 0.02, (frames, 3))
    shape = np.tile(rng.normal(size=10), (frames, 1))
    return Truth(pose_aa, shape, trans_m, *joints_of(pose_aa, shape, trans_m, flat_hand_mean=flat_hand_mean))


def joints_of(
    pose_aa: np.ndarray, shape: np.ndarray, trans_m: np.ndarray, *, flat_hand_mean: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The 21 joints of the open hand, and its root joint."""
    hand = load_hand_model("right").to(torch.float64)
    tensors = [torch.as_tensor(a, dtype=torch.float64) for a in (pose_aa, shape, trans_m)]
    joints = hand(*tensors, flat_hand_mean=flat_hand_mean).joints_world.numpy()
    return joints, joints[:, 0] - trans_m


def rig(cameras: int) -> list[np.ndarray]:
    """4x4 matrices from cameras that stand around the hand to the world."""
    poses = []
    for k in range(cameras):
        turn = Rotation.from_euler("yx", [0.5 * k - 0.4, 0.1 * k]).as_matrix()
        poses.append(np.block([[turn, (turn @ [0, 0, -0.6])[:, None]], [np.zeros(3), np.ones(1)]]))
    return poses


def drawn_px(joints_cam: np.ndarray, camera_matrix: np.ndarray = K) -> np.ndarray:
    """Where the toolkits draw joints: a pixel's centre has whole-number coordinates."""
    uvw = joints_cam @ camera_matrix.T
    return uvw[..., :2] / uvw[..., 2:]


def picture(path: Path, size: tuple[int, int] = SIZE, *, grey: bool = False, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if grey else (size[1], size[0], 3)
    iio.imwrite(path, np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8))


def as_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def as_yaml(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


SERIALS, DEXYCB_NAME = ("836212060125", "839512060362"), "20200709-subject-01/20200709_141754"


def write_dexycb(root: Path, *, side: str = "right") -> Truth:
    """Two cameras, three frames; no hand at the last one, no image of the second camera at the first one."""
    truth, poses = make_truth(3, flat_hand_mean=False), rig(2)
    folder = root / DEXYCB_NAME
    meta = {"serials": list(SERIALS), "num_frames": 3, "extrinsics": "20200702_151821", "ycb_ids": [1]}
    as_yaml(
        folder / "meta.yml", {**meta, "mano_sides": [side], "mano_calib": ["20200709_140042_subject-01_right"]}
    )
    calibration = root / "calibration"
    as_yaml(calibration / "mano_20200709_140042_subject-01_right/mano.yml", {"betas": truth.shape[0].tolist()})
    extrinsics = {s: pose[:3].ravel().tolist() for s, pose in zip(SERIALS, poses, strict=True)}
    as_yaml(
        calibration / "extrinsics_20200702_151821/extrinsics.yml",
        {"master": SERIALS[0], "extrinsics": {**extrinsics, "apriltag": np.eye(4)[:3].ravel().tolist()}},
    )
    intrinsics = {"fx": 70.0, "fy": 72.0, "ppx": 30.5, "ppy": 25.0}
    pose_m = np.concatenate([truth.pose_aa[:, :3], truth.pose_aa[:, 3:] @ COMPONENTS.T, truth.trans_m], axis=1)
    pose_m[2] = 0
    np.savez(folder / "pose.npz", pose_m=pose_m[:, None].astype(np.float64), pose_y=np.zeros((3, 1, 7)))
    for serial, pose in zip(SERIALS, poses, strict=True):
        as_yaml(calibration / f"intrinsics/{serial}_{SIZE[0]}x{SIZE[1]}.yml", {"color": intrinsics, "depth": {}})
        joints_cam = truth.seen_from(pose).joints
        joints_cam[2] = -1
        (folder / serial).mkdir(exist_ok=True)
        for frame in range(3):
            if (serial, frame) != (SERIALS[1], 0):
                picture(folder / serial / f"color_{frame:06d}.jpg")
            segments = np.zeros((SIZE[1], SIZE[0]), np.uint8)
            segments[5:20, 8:30], segments[18:25, 10:20] = 255, 11
            labels = {"joint_3d": joints_cam[frame][None], "seg": segments}
            np.savez(folder / serial / f"labels_{frame:06d}.npz", **labels)
    return truth


def write_hanco(root: Path, *, crops: bool = False) -> Truth:
    """Two cameras, frames 3 and 7 of sequence 12; with `crops`, the second is another window of the picture."""
    truth, poses = make_truth(2, flat_hand_mean=False), rig(2)
    as_json(root / "meta.json", {"is_train": [[True] * 8] * 13})
    for index, frame in enumerate((3, 7)):
        matrices = np.array([K, K])
        if crops and index:
            matrices[:, 0, 2] -= 9.0
            matrices[:, 1, 2] -= 4.0
        world_to_cam = [np.linalg.inv(pose).tolist() for pose in poses]
        stem = f"0012/{frame:08d}.json"
        as_json(root / "calib" / stem, {"K": matrices.tolist(), "M": world_to_cam})
        as_json(root / "xyz" / stem, truth.joints[index].tolist())
        mano = {"poses": truth.pose_aa, "shapes": truth.shape, "global_t": truth.trans_m[:, None]}
        as_json(root / "shape" / stem, {key: values[index][None].tolist() for key, values in mano.items()})
        for camera in range(2):
            picture(root / f"rgb/0012/cam{camera}/{frame:08d}.jpg", seed=camera)
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[10:30, 20:40] = 255
    (root / "mask_hand/0012/cam0").mkdir(parents=True)
    iio.imwrite(root / "mask_hand/0012/cam0/00000003.jpg", mask)
    return truth


def write_ho3d(root: Path, *, order: tuple[int, ...] = (1, 2, 0), disturb_m: float = 0.0) -> Truth:
    """Sequence ABF1 with three cameras, and MC1 with one; frames 0 and 5; ABF10 lacks the annotation of the last.

    order: `trans_{i}.txt` belongs to camera order[i].
    """
    truth, poses = make_truth(2, flat_hand_mean=True), rig(3)
    calibration = root / "calibration/ABF1/calibration"
    calibration.mkdir(parents=True)
    np.savetxt(calibration / "cam_orders.txt", np.array(order, dtype=float))
    for i, camera in enumerate(order):
        moved = poses[camera].copy()
        moved[:3, 3] += disturb_m * i
        np.savetxt(calibration / f"trans_{i}.txt", moved)
    for name, pose in (*((f"ABF1{k}", pose) for k, pose in enumerate(poses)), ("MC1", poses[0])):
        seen = truth.seen_from(pose)
        flip = np.diag([1.0, -1, -1, 1])
        opengl = seen.seen_from(flip)
        for index, stem in enumerate(("0000", "0005")):
            picture(root / f"train/{name}/rgb/{stem}.jpg")
            meta = {
                "handPose": opengl.pose_aa[index],
                "handBeta": opengl.shape[index],
                "handTrans": opengl.trans_m[index],
                "handJoints3D": opengl.joints[index][HO3D_ORDER],
                "camMat": K,
                "objName": "003_cracker_box",
                "objRot": np.zeros((3, 1)),
            }
            if (name, index) == ("ABF10", 1):
                meta = dict.fromkeys(meta)
            path = root / f"train/{name}/meta/{stem}.pkl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(meta, protocol=2))
    return truth

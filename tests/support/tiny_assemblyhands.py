"""A tiny capture in AssemblyHands' layout, written by hand: nothing here uses the code under test."""

import json
from pathlib import Path

import numpy as np
import tiny_datasets as tiny

SEQUENCE = "nusar-2021_action_both_9012-c07c"
CAMERAS = ("HMC_21110305", "HMC_21176875")
FRAMES = (120, 122, 124)
#: Ours among theirs: every finger from its tip to its root, the wrist last.
THEIRS = [*(4 * finger + 4 - k for finger in range(5) for k in range(4)), 0]


def write_assemblyhands(root: Path) -> np.ndarray:
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

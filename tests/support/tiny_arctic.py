"""A tiny capture in ARCTIC's layout, written by hand: nothing here uses the code under test."""

from pathlib import Path

import numpy as np
import tiny_datasets as tiny

NAME, OFFSET, ROWS = "s01/box_grab_01", 18, 4
#: Image numbers; the last one lies beyond the parameters.
IMAGES = (18, 20, 21, 22)
VIEWS = ("0", "1", "8")
DIST = np.array([-0.3, 0.11, 0.002, -0.003, 0.02, 0.03, -0.02, 0.004])
HEAD_SIZE, SIZE = (48, 40), tiny.SIZE


def write_arctic(root: Path) -> dict[str, tiny.Truth]:
    hands = {side: tiny.make_truth(ROWS, flat_hand_mean=False, seed=k) for k, side in enumerate(("right", "left"))}
    poses = [np.linalg.inv(pose) for pose in tiny.rig(8)]
    misc = {
        "s01": {
            "world2cam": [pose.tolist() for pose in poses],
            "intris_mat": [tiny.K.tolist()] * 8,
            "image_size": [HEAD_SIZE, *[SIZE] * 8],
            "ioi_offset": OFFSET,
            "gender": "female",
        }
    }
    tiny.as_json(root / "meta" / "misc.json", misc)
    folder = root / "raw_seqs" / "s01"
    folder.mkdir(parents=True)
    mano = {
        side: {
            "rot": of.pose_aa[:, :3],
            "pose": of.pose_aa[:, 3:],
            "trans": of.trans_m,
            "shape": of.shape[0],
            "fitting_err": np.zeros(ROWS),
        }
        for side, of in hands.items()
    }
    np.save(folder / "box_grab_01.mano.npy", mano, allow_pickle=True)
    head = [np.linalg.inv(pose) for pose in tiny.rig(ROWS)]
    ego = {
        "R_k_cam_np": np.stack([pose[:3, :3] for pose in head]),
        "T_k_cam_np": np.stack([pose[:3, 3:] for pose in head]),
        "intrinsics": tiny.K,
        "dist8": DIST,
        "ego_markers.label": np.array(["front", "left"]),
        "ego_markers.ref": np.zeros((2, 3)),
    }
    np.save(folder / "box_grab_01.egocam.dist.npy", ego, allow_pickle=True)
    for view in VIEWS:
        for image in IMAGES:
            tiny.picture(root / "images" / NAME / view / f"{image:05d}.jpg", HEAD_SIZE if view == "0" else SIZE)
    return hands

"""A hand as HO-3D's files tell it: in the frame of one camera."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

#: Turns OpenGL's camera axes into OpenCV's, and back.
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
#: `theirs[JOINT_ORDER]` is in the order of `JOINT_NAMES`; theirs are MANO's 16 joints, then the tips.
JOINT_ORDER = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
#: Rotation and translation of a rigid motion.
Pose = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class HandsOfCamera:
    """The hand as one camera's files tell it, in that camera's frame with OpenCV's axes; 0 where not valid."""

    valid: Bool[np.ndarray, " frame"]
    pose_aa: Float[np.ndarray, "frame 48"]
    shape: Float[np.ndarray, "frame 10"]
    trans_m: Float[np.ndarray, "frame 3"]
    joints: Float[np.ndarray, "frame 21 3"]
    K: Float[np.ndarray, "3 3"]

    def moved(self, R: Float[np.ndarray, "3 3"], t: Float[np.ndarray, "3"]) -> "HandsOfCamera":
        """The same hand in the frame `x' = R x + t`.

        MANO rotates about its root joint J: the wrist is w = J + trans, and the new translation R w + t - J.
        """
        wrist = self.joints[:, 0]
        joints = np.where(self.valid[:, None, None], self.joints @ R.T + t, 0.0)
        rotation = (Rotation.from_matrix(R) * Rotation.from_rotvec(self.pose_aa[:, :3])).as_rotvec()
        pose_aa = np.concatenate([rotation, self.pose_aa[:, 3:]], axis=1)
        trans_m = joints[:, 0] - (wrist - self.trans_m)
        keep = self.valid[:, None]
        return HandsOfCamera(self.valid, pose_aa * keep, self.shape, trans_m * keep, joints, self.K)

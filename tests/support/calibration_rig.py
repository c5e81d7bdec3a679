"""A known rig of two cameras, and how its numbers are written."""

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
K = [np.array([[600.0, 0, 315], [0, 610, 245], [0, 0, 1]]), np.array([[580.0, 0, 330], [0, 575, 235], [0, 0, 1]])]
DIST = [np.array([-0.2, 0.05, 0.001, -0.002]), np.array([0.1, -0.03, -0.001, 0.0005])]
RVEC = [np.array([0.1, -0.2, 0.05]), np.array([-0.3, 0.6, 0.2])]
T = [np.array([0.05, -0.1, 1.2]), np.array([-0.2, 0.15, 1.4])]
R = [cv2.Rodrigues(r)[0] for r in RVEC]
POINTS = np.array([[0.1, 0.05, -0.1], [-0.08, 0.12, 0.07]])


def opencv_pixels(k: int, *, fisheye: bool = False) -> np.ndarray:
    """What OpenCV makes of the points, with the centre of the first pixel at (0, 0)."""
    if fisheye:
        return cv2.fisheye.projectPoints(POINTS[None], RVEC[k], T[k], K[k], DIST[k])[0][0]
    return cv2.projectPoints(POINTS, RVEC[k], T[k], K[k], DIST[k])[0][:, 0]


def rows(matrix: np.ndarray) -> str:
    return "\n".join(" ".join(f"{value:.15g}" for value in row) for row in np.atleast_2d(matrix))


def opencv_matrix(matrix: np.ndarray) -> str:
    m = np.atleast_2d(matrix)
    data = ", ".join(f"{value:.15g}" for value in m.ravel())
    return f"!!opencv-matrix\n   rows: {m.shape[0]}\n   cols: {m.shape[1]}\n   dt: d\n   data: [ {data} ]"


def quaternion(rotation: np.ndarray) -> np.ndarray:
    w = np.sqrt(1 + np.trace(rotation)) / 2
    m = rotation
    return np.array([w, *np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]) / (4 * w)])


def world_from_gl_camera(k: int) -> list[list[float]]:
    inverse = np.linalg.inv(np.vstack([np.column_stack([R[k], T[k]]), [0, 0, 0, 1]]))
    return (inverse @ np.diag([1.0, -1, -1, 1])).tolist()


def transformation(k: int) -> np.ndarray:
    return np.vstack([np.column_stack([R[k], T[k]]), [0, 0, 0, 1]])

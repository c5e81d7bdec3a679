"""What is the camera's own error and what is the hand's: a turned camera is turned back until outlines agree."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmarks.real.yardstick.judge import judge, with_own_calibration
from benchmarks.real.yardstick.yardstick import HandOutline, View
from scipy.spatial.transform import Rotation

from handrefine.hand.model import load_hand_model
from handrefine.hand.wrist import up_to_wrist
from handrefine.preprocess.masks.depth_map import depth_map
from handrefine.sequence import Camera


def test_a_cameras_own_error_is_told_from_the_hands():
    hand = load_hand_model("right")
    flat = hand.flat()
    verts, joints = (of[0].numpy().astype(float) for of in (flat.verts_world, flat.joints_world))
    centre = verts.mean(axis=0)
    looking_down = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    camera = Camera("a", 160, 120, 260.0, 260.0, 80.0, 60.0, looking_down, [0, 0, 0.4] - looking_down @ centre)
    turn = Rotation.from_rotvec([0.02, -0.015, 0.03]).as_matrix()
    real = replace(camera, R_cam_world=turn @ camera.R_cam_world, t_cam_world=turn @ camera.t_cam_world)
    faces = up_to_wrist(hand.topology, verts, joints).faces
    seen = np.isfinite(depth_map(verts, faces, real)).astype(np.uint8)
    contours, _ = cv2.findContours(seen, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    outline = HandOutline(tuple(c[:, 0] + 0.5 for c in contours if len(c) > 2), None, ())
    nothing = HandOutline((), None, ())
    state = SimpleNamespace(verts_world=verts[None], joints_world=joints[None])
    result = SimpleNamespace(
        hands=[SimpleNamespace(side="right", topology=hand.topology, before=state, after=state)]
    )
    view = View(outline, nothing, ())
    mended = with_own_calibration(result, camera, view)
    before, after = (judge(result, of, view)["right"]["contour_px"]["after"] for of in (camera, mended))
    assert before > 3
    assert after < 1
    turned_by = Rotation.from_matrix(mended.R_cam_world @ camera.R_cam_world.T).as_rotvec()
    assert turned_by == pytest.approx([0.02, -0.015, 0.03], abs=0.006)

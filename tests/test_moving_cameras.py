"""Cameras that move: their nouns, what a dataset keeps of them, and a refinement that sees through them."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from handrefine.camera import Camera, CameraPath
from handrefine.config_files import load_config
from handrefine.datasets.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.datasets.registry import read_dataset
from handrefine.refinement.refine import refine
from handrefine.scene.camera_rotations import CameraRotations
from handrefine.sequence import HandAnnotation
from handrefine.synthetic.truth import SyntheticSettings, make_truths
from handrefine.synthetic.video import imperfect_annotation
from handrefine.synthetic.video_images import render_images, sequence_in_memory

FRAMES = (3, 7, 12)


def moving(camera: Camera, frames: tuple[int, ...] = FRAMES, step: float = 0.1) -> Camera:
    """It circles the world's y axis by so many radians a frame, and looks at what it looked at."""
    turns = Rotation.from_rotvec([[0, step * k, 0] for k in range(len(frames))]).as_matrix()
    R = camera.R_cam_world @ turns
    return camera.moving(CameraPath(frames, R, np.tile(camera.t_cam_world, (len(frames), 1))))


def still() -> Camera:
    return Camera("a", 64, 48, 80.0, 82.0, 31.0, 25.0, np.eye(3), np.array([0.0, 0.1, 0.9]))


def test_a_camera_is_at_a_frame_where_its_path_says():
    camera = moving(still())
    for k, frame in enumerate(FRAMES):
        here = camera.at(frame)
        assert here.path is None
        np.testing.assert_array_equal(here.R_cam_world, camera.path.R_cam_world[k])
    np.testing.assert_array_equal(camera.at(11).R_cam_world, camera.at(12).R_cam_world)
    assert still().at(5).path is None
    np.testing.assert_array_equal(camera.R_cam_world, camera.at(FRAMES[0]).R_cam_world)


def test_one_turn_holds_at_all_frames():
    camera, turn = moving(still()), Rotation.from_rotvec([0.02, -0.01, 0.03]).as_matrix()
    for frame in FRAMES:
        before, after = camera.at(frame), camera.turned(turn).at(frame)
        np.testing.assert_allclose(after.R_cam_world, turn @ before.R_cam_world)
        np.testing.assert_allclose(after.center_world, before.center_world, atol=1e-12)


def test_a_camera_that_moves_has_one_correction():
    cameras = [moving(dataclasses.replace(still(), name=name)) for name in "ab"]
    cameras[1] = dataclasses.replace(cameras[1].turned(Rotation.from_rotvec([0, 0.6, 0]).as_matrix()), name="b")
    rotations = CameraRotations(cameras, np.zeros(3))
    with torch.no_grad():
        rotations.free.copy_(0.02 * torch.randn(2, 4, generator=torch.Generator().manual_seed(0)))
    turned = rotations.turned({camera.name: camera for camera in cameras})
    for camera in cameras:
        turns = [turned[camera.name].at(f).R_cam_world @ camera.at(f).R_cam_world.T for f in FRAMES]
        np.testing.assert_allclose(turns, np.broadcast_to(turns[0], (3, 3, 3)), atol=1e-9)
        assert np.abs(turns[0] - np.eye(3)).max() > 1e-4


def test_a_dataset_keeps_paths(tmp_path: Path):
    cameras = {"a": moving(still()), "b": dataclasses.replace(still(), name="b")}
    picture = np.full((48, 64, 3), 0.2, np.float32)
    images = {(k, name): picture for k in range(3) for name in cameras}
    joints = np.random.default_rng(0).normal(0, 0.02, (3, 21, 3))
    annotation = HandAnnotation("right", joints_world=joints, joint_valid=np.ones((3, 21), bool))
    write_interhand26m_sequence(tmp_path / "data", cameras, FRAMES, images, {"right": annotation})
    again = read_dataset(tmp_path / "data")
    assert again.cameras["b"].path is None
    for frame in FRAMES:
        for name, camera in cameras.items():
            found = again.cameras[name].at(frame)
            np.testing.assert_allclose(found.R_cam_world, camera.at(frame).R_cam_world, atol=1e-12)
            np.testing.assert_allclose(found.t_cam_world, camera.at(frame).t_cam_world, atol=1e-12)


def test_a_refinement_sees_through_moving_cameras(runtime, right_hand):
    """The same hand, error and images; without their paths the cameras would be 6 degrees off at a frame."""
    settings = SyntheticSettings(n_cameras=3, n_frames=2, size=64, seed=1002)
    (truth,) = make_truths([right_hand], [right_hand.default_skin()], settings)
    cameras = {name: moving(camera, truth.frames, step=0.1) for name, camera in truth.cameras.items()}
    truth = dataclasses.replace(truth, cameras=cameras)
    config = load_config("quick")
    stages = {
        name: dataclasses.replace(stage, iterations=min(stage.iterations, 8 if name == "coarse" else 2))
        for name, stage in config.stages.items()
    }
    config = dataclasses.replace(config, stages=stages)
    taken = render_images([right_hand], [truth], settings, config, runtime.device)
    annotation = imperfect_annotation(right_hand, truth, 10.0, 0)
    sequence = sequence_in_memory(truth, taken, annotation, masks=True)
    hand = refine(sequence, ("right",), config).hands[0]

    def error_mm(verts_world: np.ndarray) -> float:
        return float(np.linalg.norm(verts_world - truth.verts_world, axis=-1).mean() * 1e3)

    assert error_mm(hand.after.verts_world) < 0.8 * error_mm(hand.before.verts_world)

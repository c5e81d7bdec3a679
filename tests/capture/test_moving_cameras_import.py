"""Calibrations with a pose a frame: what every format tells of a moving camera reaches the dataset."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import made_captures
import numpy as np
import pytest
from calibration_rig import quaternion, rows

from handrefine.capture.calibration.registry import read_calibration
from handrefine.capture.calibration.rig_camera import RigCamera, RigPath
from handrefine.cli.main import main
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError

FRAMES = (2, 3, 5, 6)
WIDTH, HEIGHT = 320, 256
GL = np.diag([1.0, -1.0, -1.0])


def rig() -> list[RigCamera]:
    """A still camera and one that moves by some centimetres and degrees a frame."""
    still, moving = (camera.resized(WIDTH, HEIGHT) for camera in made_captures.rig(2))
    turns = [
        cv2.Rodrigues(np.array([0.02 * k, -0.03 * k, 0.01]))[0] @ moving.R_cam_world for k in range(len(FRAMES))
    ]
    shifts = [moving.t_cam_world + np.array([0.02 * k, 0.01, -0.01 * k]) for k in range(len(FRAMES))]
    return [still, moving.moving(RigPath(FRAMES, np.stack(turns), np.stack(shifts)))]


def posed(camera: RigCamera) -> list[tuple[int, np.ndarray, np.ndarray]]:
    R, t = camera.poses(FRAMES)
    return list(zip(FRAMES, R, t, strict=True))


def opencv_K(camera: RigCamera) -> np.ndarray:
    return camera.K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]


def in_nerfstudio(folder: Path) -> Path:
    frames = [
        {
            "file_path": f"images/{camera.name}/shot_{frame:04d}.jpg",
            "transform_matrix": np.vstack(
                [np.column_stack([(GL @ R).T, -R.T @ t]), [0, 0, 0, 1]]
            ).tolist(),
            "fl_x": camera.K[0, 0],
            "fl_y": camera.K[1, 1],
            "cx": camera.K[0, 2],
            "cy": camera.K[1, 2],
        }
        for camera in rig()
        for frame, R, t in posed(camera)
    ]  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps({"w": WIDTH, "h": HEIGHT, "frames": frames}))
    return folder / "transforms.json"


def in_colmap(folder: Path) -> Path:
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    lines, images = "", ""
    for k, camera in enumerate(rig()):
        intrinsics = [camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]]
        lines += f"{k} PINHOLE {WIDTH} {HEIGHT} {' '.join(map(str, intrinsics))}\n"
        for frame, R, t in posed(camera):
            pose = " ".join(map(str, (*quaternion(R), *t)))
            images += f"{frame} {pose} {k} {camera.name}_{frame:04d}.jpg\n\n"
    (model / "cameras.txt").write_text(lines)
    (model / "images.txt").write_text(images)
    return folder


def in_npz_by_camera(folder: Path) -> Path:
    for camera in rig():
        R, t = camera.poses(FRAMES)
        path = {"R": R, "t": t, "frames": FRAMES} if camera.path else {"R": R[0], "t": t[0]}
        np.savez(folder / f"{camera.name}.npz", K=opencv_K(camera), **path)
    return folder


def in_npz_stacks(folder: Path) -> Path:
    poses = np.stack([[np.column_stack([R, t]) for _, R, t in posed(camera)] for camera in rig()])
    K = [opencv_K(camera) for camera in rig()]
    np.savez(folder / "rig.npz", names=[c.name for c in rig()], K=K, extrinsics=poses, frames=FRAMES)
    return folder / "rig.npz"


def in_json_by_frame(folder: Path) -> Path:
    cameras = {
        camera.name: {
            "intrinsics": opencv_K(camera).tolist(),
            "extrinsics": {str(f): np.column_stack([R, t]).tolist() for f, R, t in posed(camera)},
        }
        for camera in rig()
    }
    (folder / "rig.json").write_text(json.dumps(cameras))
    return folder / "rig.json"


def in_text_rows(folder: Path) -> Path:
    for camera in rig():
        np.savetxt(folder / f"{camera.name}_K.txt", opencv_K(camera))
        path = [[frame, *np.column_stack([R, t]).ravel()] for frame, R, t in posed(camera)]
        np.savetxt(folder / f"{camera.name}_poses.txt", path)
    return folder


def in_text_a_file_a_frame(folder: Path) -> Path:
    for camera in rig():
        (folder / camera.name / "pose").mkdir(parents=True)
        (folder / camera.name / "intrinsics.txt").write_text(rows(opencv_K(camera)))
        for frame, R, t in posed(camera):
            whole = np.vstack([np.column_stack([R, t]), [0, 0, 0, 1]])
            (folder / camera.name / "pose" / f"{frame:06d}.txt").write_text(rows(whole))
    return folder


WRITERS: tuple[Callable[[Path], Path], ...] = (
    *(in_nerfstudio, in_colmap, in_npz_by_camera, in_npz_stacks, in_json_by_frame, in_text_rows),
    in_text_a_file_a_frame,
)


@pytest.mark.parametrize("write", WRITERS)
def test_poses_come_back_frame_by_frame(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    read = {camera.name: camera for camera in read_calibration(write(tmp_path))}
    assert set(read) == {"cam0", "cam1"}
    assert read["cam1"].path is not None
    for camera in rig():
        R, t = read[camera.name].poses(FRAMES)
        np.testing.assert_allclose(R, camera.poses(FRAMES)[0], atol=1e-6)
        np.testing.assert_allclose(t, camera.poses(FRAMES)[1], atol=1e-6)
        np.testing.assert_allclose(read[camera.name].K, camera.K, atol=1e-6)


def capture(folder: Path, calibration: Path) -> list[str]:
    """Images and keypoints on disk; the arguments of an import of them."""
    truth = made_captures.hands(len(FRAMES))
    for camera in rig():
        (folder / "images" / camera.name).mkdir(parents=True)
        for frame in FRAMES:
            path = folder / "images" / camera.name / f"shot_{frame:04d}.jpg"
            cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    uv_px = np.stack([camera.project_at(truth, FRAMES) for camera in rig()])
    uv_px = uv_px + np.random.default_rng(0).normal(0, 0.2, uv_px.shape)
    np.savez(folder / "keypoints.npz", camera=np.array(["cam0", "cam1"]), frames=FRAMES, uv_px=uv_px)
    images = [f"{camera.name}={folder / 'images' / camera.name}" for camera in rig()]
    return ["import", "--images", *images, "--calibration", str(calibration), "--joints",
            str(folder / "keypoints.npz"), "--out", str(folder / "dataset")]  # fmt: skip


def test_a_moving_camera_reaches_the_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "calibration").mkdir()
    main(capture(tmp_path, in_npz_stacks(tmp_path / "calibration")))
    assert "cam1 moves: 4 of 4 images have a pose" in capsys.readouterr().out
    sequence = read_dataset(tmp_path / "dataset")
    for k, side in enumerate(("right", "left")):
        error_mm = 1e3 * np.linalg.norm(
            sequence.annotation(side).joints_world - made_captures.hands(len(FRAMES))[:, k], axis=-1
        )
        assert error_mm.mean() < 2.0
    for frame, R, t in posed(rig()[1]):
        camera = sequence.cameras["1"].at(frame)
        np.testing.assert_allclose(camera.R_cam_world, R, atol=1e-6)
        np.testing.assert_allclose(camera.t_cam_world, t, atol=1e-6)


def test_a_path_of_the_wrong_convention_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = capture(tmp_path, tmp_path / "rig.npz")
    parts = [camera.poses(FRAMES) for camera in rig()]
    R = np.stack([R.swapaxes(1, 2) for R, _ in parts])
    t = np.stack([-np.einsum("fji,fj->fi", R, t) for R, t in parts])
    K = [opencv_K(camera) for camera in rig()]
    np.savez(tmp_path / "rig.npz", names=["cam0", "cam1"], K=K, R=R, t=t, frames=FRAMES)
    with pytest.raises(SystemExit):
        main(arguments)
    assert "--convention cam-to-world" in capsys.readouterr().err
    main([*arguments, "--convention", "cam-to-world"])
    assert read_dataset(tmp_path / "dataset").cameras["1"].path is not None


def test_poses_that_fit_no_images_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = capture(tmp_path, tmp_path)
    still, moving = rig()
    R, t = moving.poses(FRAMES)
    values = {"K": opencv_K(moving), "R": R[:3], "t": t[:3]}
    np.savez(tmp_path / "cam0.npz", K=opencv_K(still), R=still.R_cam_world, t=still.t_cam_world)
    np.savez(tmp_path / "cam1.npz", **values)
    with pytest.raises(SystemExit):
        main([*arguments, "--calibration", str(tmp_path)])
    assert "not as many as its images" in capsys.readouterr().err
    np.savez(tmp_path / "cam1.npz", **values, frames=[2, 3])
    with pytest.raises(InputError, match="do not fit its poses"):
        read_calibration(tmp_path)


def test_views_without_a_pose_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    arguments = capture(tmp_path, tmp_path / "calibration")
    still, moving = rig()
    R, t = moving.poses(FRAMES[:3])
    for camera, values in ((still, {}), (moving, {"frames": FRAMES[:3]})):
        path = {"R": R, "t": t} if values else {"R": still.R_cam_world, "t": still.t_cam_world}
        np.savez(tmp_path / "calibration" / f"{camera.name}.npz", K=opencv_K(camera), **path, **values)
    main(arguments)
    sequence = read_dataset(tmp_path / "dataset")
    assert sequence.frames == FRAMES[:3]

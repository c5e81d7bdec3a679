"""Conventions of rotations and translations: each undoes what it names, and the joints name the right one."""

from collections.abc import Callable
from dataclasses import replace

import made_captures
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handrefine.capture.calibration.rig_camera import RigCamera, RigPath, opencv_camera
from handrefine.capture.convention_check import check_convention
from handrefine.capture.conventions import AXES, FORMS, Convention, convention, readings
from handrefine.errors import InputError

POINT = np.array([0.1, 0.2, 0.3])
STORED: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "world-to-cam": lambda R, t: (R, t),
    "cam-to-world": lambda R, t: (R.T, -R.T @ t),
    "position": lambda R, t: (R, -R.T @ t),
    "transposed": lambda R, t: (R.T, t),
    "shifted-first": lambda R, t: (R, R.T @ t),
}
UNITY = np.diag([1.0, -1.0, 1.0])


def in_file(camera: RigCamera, form: str, axes: str = "right-down-forward") -> RigCamera:
    """The camera as a file with that convention tells it."""
    A = AXES[axes].T
    return camera.posed(*STORED[form](A @ camera.R_cam_world, A @ camera.t_cam_world))


@pytest.mark.parametrize("form", FORMS)
def test_every_convention_undoes_what_it_names(form: str) -> None:
    camera = made_captures.rig(1)[0]
    at = camera.R_cam_world @ POINT + camera.t_cam_world
    for axes in AXES:
        stored = in_file(camera, form, axes)
        path = RigPath((3,), stored.R_cam_world[None], stored.t_cam_world[None])
        read = convention(Convention(form, axes).name).apply(replace(stored, path=path))
        np.testing.assert_allclose(read.R_cam_world @ POINT + read.t_cam_world, at, err_msg=axes)
        R, t = read.poses((3,))
        np.testing.assert_allclose(R[0] @ POINT + t[0], at, err_msg=axes)


def test_names_of_conventions() -> None:
    assert convention("opengl-cam-to-world") == Convention("cam-to-world", "right-up-back")
    every = list(readings(made_captures.rig(1)[0], Convention()))
    assert len(every) == len(FORMS) * 48
    assert all(convention(reading.name) == reading for reading in every)
    with pytest.raises(InputError, match="no such convention"):
        convention("cam-to-world+left")


def as_numbers(camera: RigCamera, numbers: np.ndarray) -> RigCamera:
    K = camera.K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    return opencv_camera(camera.name, K, (numbers, camera.t_cam_world))


WRONG: dict[str, Callable[[RigCamera], RigCamera]] = {
    "position": lambda c: in_file(c, "position"),
    "transposed": lambda c: in_file(c, "transposed"),
    "cam-to-world+right-up-back": lambda c: in_file(c, "cam-to-world", "right-up-back"),
    "cam-to-world+forward-left-up": lambda c: in_file(c, "cam-to-world", "forward-left-up"),
    "world-to-cam+right-up-forward": lambda c: c.posed(UNITY @ c.R_cam_world, UNITY @ c.t_cam_world),
    "world-to-cam+mirrored": lambda c: c.posed(c.R_cam_world @ UNITY, c.t_cam_world),
    "cam-to-world+right-up-forward+mirrored": lambda c: in_file(
        c.posed(UNITY @ c.R_cam_world @ UNITY, UNITY @ c.t_cam_world), "cam-to-world"
    ),
    "world-to-cam+euler-xyz-deg": lambda c: as_numbers(
        c, Rotation.from_matrix(c.R_cam_world).as_euler("xyz", degrees=True)
    ),
    "world-to-cam+euler-zyx": lambda c: as_numbers(c, Rotation.from_matrix(c.R_cam_world).as_euler("zyx")[::-1]),
    "world-to-cam+xyzw": lambda c: as_numbers(c, Rotation.from_matrix(c.R_cam_world).as_quat()),
}


@pytest.mark.parametrize("right", WRONG)
def test_the_joints_name_the_right_convention(right: str) -> None:
    cameras = made_captures.rig(2)
    found = made_captures.detected(cameras, made_captures.hands(6), np.random.default_rng(0), noise_px=1.0)
    stored = [WRONG[right](camera) for camera in cameras]
    with pytest.raises(InputError) as told:
        check_convention(stored, Convention(), found)
    assert told.value.fix == f"--convention {right}"
    assert check_convention(stored, convention(right), found) < 3.0


def test_many_cameras_are_told_by_some_of_them() -> None:
    cameras = made_captures.rig(12)
    found = made_captures.detected(cameras, made_captures.hands(2), np.random.default_rng(0), noise_px=1.0)
    with pytest.raises(InputError, match="--convention position"):
        check_convention([in_file(camera, "position") for camera in cameras], Convention(), found)


def test_exchanged_cameras_are_named() -> None:
    cameras = made_captures.rig(3)
    found = made_captures.detected(cameras, made_captures.hands(6), np.random.default_rng(0), noise_px=1.0)
    exchanged = [replace(cameras[k], name=cameras[i].name) for i, k in enumerate((1, 0, 2))]
    with pytest.raises(InputError, match="exchanged: cam0=cam1, cam1=cam0"):
        check_convention(exchanged, Convention(), found)


def test_mirrors_that_no_joint_explains_are_called_what_they_are() -> None:
    cameras = [c.posed(UNITY @ c.R_cam_world, c.t_cam_world) for c in made_captures.rig(2)]
    found = made_captures.detected(cameras, made_captures.hands(4), np.random.default_rng(0))
    found.uv_px[:] = np.nan
    with pytest.raises(InputError, match="mirror image"):
        check_convention(cameras, Convention(), found)

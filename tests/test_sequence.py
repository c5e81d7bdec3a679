"""Cameras: windows and sizes commute with projection; bad calibration is refused."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrefine.datasets.dataset_format import chosen_cameras
from handrefine.errors import InputError
from handrefine.sequence import (
    JOINT_NAMES,
    MIDDLE_KNUCKLE,
    WRIST,
    Camera,
    FrameId,
    FrameIndex,
    HandAnnotation,
    HandSequence,
    ManoParameters,
    PcaParameters,
    called,
    frame_positions,
)

POINTS = torch.from_numpy(np.random.default_rng(0).uniform([-0.3, -0.3, 0.6], [0.3, 0.3, 2.0], (50, 3)))
finite = st.floats(-1, 1, allow_nan=False)


@st.composite
def cameras(draw) -> Camera:
    """Any pose, non-square pixels, principal point off the centre; POINTS lie in front of it."""
    tilt = torch.tensor([draw(finite) * 0.2 for _ in range(3)], dtype=torch.float64)
    R = roma.rotvec_to_rotmat(tilt).numpy() @ np.diag(draw(st.sampled_from([[1, 1, 1], [-1, -1, 1]])))
    width, height = draw(st.integers(16, 2000)), draw(st.integers(16, 2000))
    return Camera(
        "c",
        width,
        height,
        fx=width * draw(st.floats(0.5, 4)),
        fy=width * draw(st.floats(0.5, 4)),
        cx=width * draw(st.floats(0.2, 0.8)),
        cy=height * draw(st.floats(0.2, 0.8)),
        R_cam_world=R,
        t_cam_world=np.array([draw(finite), draw(finite), 1.0]),
    )


@given(cameras(), st.integers(-500, 500), st.integers(-500, 500))
@settings(max_examples=40, deadline=None)
def test_a_crop_shifts_projections(camera, x0, y0):
    crop = camera.cropped(x0, y0, 64, 32)
    shift = POINTS.new_tensor([x0, y0])
    torch.testing.assert_close(crop.project(POINTS), camera.project(POINTS) - shift, rtol=0, atol=1e-9)
    assert (crop.width, crop.height) == (64, 32)


@given(cameras(), st.integers(8, 3000), st.integers(8, 3000))
@settings(max_examples=40, deadline=None)
def test_a_resize_scales_projections(camera, width, height):
    scale = POINTS.new_tensor([width / camera.width, height / camera.height])
    resized = camera.resized(width, height)
    torch.testing.assert_close(resized.project(POINTS), camera.project(POINTS) * scale, rtol=1e-12, atol=1e-8)
    # The image's corners stay its corners: pixel centres lie at one half.
    torch.testing.assert_close(resized.cx / width, camera.cx / camera.width)


@given(cameras(), st.integers(1, 5), st.integers(-20, 20), st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_crop_and_resize_commute(camera, factor, x0, y0):
    cropped_first = camera.cropped(x0, y0, 32, 16).resized(32 * factor, 16 * factor)
    resized_first = camera.resized(camera.width * factor, camera.height * factor).cropped(
        x0 * factor, y0 * factor, 32 * factor, 16 * factor
    )
    np.testing.assert_allclose(cropped_first.intrinsics, resized_first.intrinsics, rtol=1e-12, atol=1e-9)


@given(cameras())
@settings(max_examples=40, deadline=None)
def test_unprojection_inverts_projection(camera):
    uv_px, depth = camera.project(POINTS).numpy(), camera.to_camera(POINTS).numpy()[:, 2:]
    points_cam = (
        np.concatenate([(uv_px - camera.intrinsics[2:]) / camera.intrinsics[:2], np.ones_like(depth)], 1) * depth
    )
    np.testing.assert_allclose((points_cam - camera.t_cam_world) @ camera.R_cam_world, POINTS.numpy(), atol=1e-9)
    np.testing.assert_allclose(camera.to_camera(torch.as_tensor(camera.center_world)[None]).numpy(), 0, atol=1e-12)


def _plain(**changes) -> Camera:
    values = {"name": "c", "width": 64, "height": 48, "fx": 80.0, "fy": 90.0, "cx": 30.0, "cy": 25.0}
    pose = {"R_cam_world": np.eye(3), "t_cam_world": np.zeros(3)}
    return Camera(**(values | pose | changes))


def test_points_behind_a_camera_are_nan_and_leave_other_gradients_finite():
    points = torch.tensor([[0.1, 0.2, 1.0], [0.1, 0.2, -1.0], [0.1, 0.2, 0.0]], requires_grad=True)
    uv_px = _plain().project(points)
    assert torch.isfinite(uv_px[0]).all()
    assert torch.isnan(uv_px[1:]).all()
    uv_px[0].sum().backward()
    assert torch.isfinite(points.grad).all()
    assert points.grad[0].abs().min() > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"cx": math.nan},
        {"t_cam_world": np.array([0.0, math.inf, 0.0])},
        {"fx": 0.0},
        {"width": 0},
        {"R_cam_world": np.diag([1.0, 1.0, -1.0])},
        {"R_cam_world": 1.01 * np.eye(3)},
    ],
)
def test_an_impossible_calibration_is_refused(changes):
    with pytest.raises(InputError, match="camera c"):
        _plain(**changes)


def test_a_sequence_by_some_of_its_cameras():
    views = {(f, name): (lambda: np.zeros((48, 64, 3), np.float32)) for f in range(2) for name in "ab"}
    sequence = HandSequence(
        "s", {n: _plain(name=n) for n in "ab"}, (3, 7), views, {"right": HandAnnotation("right")}, source="kept"
    )
    part = sequence.with_cameras(["b"])
    assert list(part.cameras) == ["b"]
    assert set(part.images) == {(0, "b"), (1, "b")}
    assert part.frames == (3, 7)
    assert part.source == "kept"
    with pytest.raises(InputError, match="no camera 'z'"):
        sequence.with_cameras(["z"])
    with pytest.raises(InputError, match="no left hand"):
        sequence.annotation("left")


def _annotated(side: str, frames: int) -> HandAnnotation:
    """Every value is told apart from every other, frame by frame."""
    numbers = np.arange(1.0, frames + 1)

    def values(*shape: int) -> np.ndarray:
        return numbers.reshape(-1, *(1 for _ in shape)) + np.arange(np.prod(shape)).reshape(shape) / 1000

    return HandAnnotation(
        side,
        mano=ManoParameters(values(48), values(10), values(3), flat_hand_mean=True),
        mano_valid=numbers % 2 == 0,
        joints_world=values(21, 3),
        joint_valid=np.repeat((numbers > 2)[:, None], 21, axis=1),
        mano_pca=PcaParameters(-values(48), -values(10), -values(3)),
    )


def test_a_sequence_at_some_of_its_frames():
    """Images, masks and everything that is annotated follow; positions count anew, numbers stay."""
    views = {(f, name): (lambda f=f, name=name: (f, name)) for f in range(4) for name in "ab"}
    del views[2, "b"]
    masks = {key: read for key, read in views.items() if key[1] == "a"}
    told = {side: _annotated(side, 4) for side in ("right", "left")}
    told["left"] = HandAnnotation("left", joints_world=told["left"].joints_world)
    cameras = {n: _plain(name=n) for n in "ab"}
    sequence = HandSequence("s", cameras, (3, 7, 8, 20), views, told, masks, source="kept", fix_left_shape=True)
    part = sequence.with_frames([FrameIndex(1), FrameIndex(2)])
    assert part.frames == (7, 8)
    assert part.positions == (0, 1)
    assert {key: read() for key, read in part.images.items()} == {
        (0, "a"): (1, "a"),
        (0, "b"): (1, "b"),
        (1, "a"): (2, "a"),
    }
    assert {key: read() for key, read in part.masks.items()} == {(0, "a"): (1, "a"), (1, "a"): (2, "a")}
    right, whole, rows = part.annotation("right"), sequence.annotation("right"), [1, 2]
    for name in ("mano_valid", "joints_world", "joint_valid"):
        np.testing.assert_array_equal(getattr(right, name), getattr(whole, name)[rows])
    for name in ("pose_aa", "shape", "trans_m"):
        np.testing.assert_array_equal(getattr(right.mano, name), getattr(whole.mano, name)[rows])
    for name in ("pose_pca", "shape", "trans_m"):
        np.testing.assert_array_equal(getattr(right.mano_pca, name), getattr(whole.mano_pca, name)[rows])
    assert right.mano.flat_hand_mean
    left = part.annotation("left")
    np.testing.assert_array_equal(left.joints_world, sequence.annotation("left").joints_world[rows])
    assert (left.mano, left.mano_valid, left.joint_valid, left.mano_pca) == (None,) * 4
    assert (part.name, list(part.cameras), part.source, part.fix_left_shape) == ("s", ["a", "b"], "kept", True)


def test_positions_follow_the_frame_numbers():
    assert frame_positions(FrameId(n) for n in (12, 3, 7, 3, 12)) == {3: 0, 7: 1, 12: 2}


def test_joint_names_go_from_the_wrist_to_the_tips():
    assert len(set(JOINT_NAMES)) == 21
    assert (JOINT_NAMES[WRIST], JOINT_NAMES[MIDDLE_KNUCKLE], JOINT_NAMES[4]) == ("wrist", "middle1", "thumb4")


def test_cameras_go_by_the_names_of_their_image_folders_too() -> None:
    assert called(["cam04", "06", "04"], ["04", "06", "08"]) == ["04", "06"]
    assert called(["cam0"], ["cam0", "0"]) == ["cam0"]  # a name is a name first
    with pytest.raises(InputError, match="there is no camera cam07"):
        chosen_cameras(["04", "06"], ["04", "cam07"], "here")

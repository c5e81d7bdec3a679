"""Cameras turned a little: pictures move as projections do, and no turn stands for a motion of the hand."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from handrefine.scene.camera_rotations import LOG_SCALE, CameraRotations
from handrefine.sequence import Camera


def cameras(count: int = 5) -> list[Camera]:
    """Around the origin at 0.8 to 1.2 m, looking at it, 60 x 48 px with oblong pixels."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(count):
        eye = rng.normal(size=3)
        eye *= (0.8 + 0.4 * k / count) / np.linalg.norm(eye)
        forward = -eye / np.linalg.norm(eye)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        made.append(Camera(str(k), 60, 48, 300.0, 280.0, 28.0, 25.0, R, -R @ eye))
    return made


def blob(at_px: np.ndarray, camera: Camera) -> torch.Tensor:
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    return torch.tensor(np.exp(-((x - at_px[0]) ** 2 + (y - at_px[1]) ** 2) / 8))[..., None]


def centre_px(picture: torch.Tensor) -> np.ndarray:
    weights = picture[..., 0].detach().numpy()
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()


def turned(seed: int = 0, size_rad: float = 0.02) -> CameraRotations:
    rotations = CameraRotations(cameras(), np.zeros(3))
    with torch.no_grad():
        rotations.free.copy_(size_rad * torch.randn(5, 4, generator=torch.Generator().manual_seed(seed)))
    return rotations


def test_starts_at_the_given_calibration():
    pictures = [torch.rand(camera.height, camera.width, 4) for camera in cameras()]
    same = CameraRotations(cameras(), np.zeros(3)).resample(pictures, cameras(), torch.arange(5))
    for before, after in zip(pictures, same, strict=True):
        assert torch.allclose(before, after, atol=1e-4)


def test_pictures_move_as_the_turned_camera_projects():
    """Of points at two depths, to 0.02 px: neither a rotation nor a scale of the picture needs a depth."""
    rotations = turned()
    given = {camera.name: camera for camera in cameras()}
    for point in (np.zeros(3), np.array([0.01, -0.01, 0.012])):
        world = torch.tensor(point)
        pictures = [blob(camera.project(world).numpy(), camera) for camera in cameras()]
        moved = rotations.double().resample(pictures, cameras(), torch.arange(5))
        for picture, (name, real) in zip(moved, rotations.turned(given).items(), strict=True):
            expected = real.project(world).numpy()
            assert np.linalg.norm(expected - given[name].project(world).numpy()) > 0.5
            np.testing.assert_allclose(centre_px(picture), expected, atol=0.02)


def test_a_scale_enlarges_pictures_about_the_hands():
    rotations = CameraRotations(cameras(), np.array([0.01, 0.0, 0.0]))
    with torch.no_grad():
        rotations.free[:, 3] = torch.tensor([0.02, -0.01, 0.0, 0.01, -0.02])
    real = rotations.turned({camera.name: camera for camera in cameras()})
    hand, beside = torch.tensor([0.01, 0.0, 0.0]).double(), torch.tensor([0.02, 0.01, -0.01]).double()
    alone = CameraRotations(cameras(), np.array([0.01, 0.0, 0.0]))
    assert torch.allclose(alone.scales(), torch.ones(5))
    for camera, scale, turn in zip(cameras(), rotations.scales().tolist(), rotations.rotations_cam(), strict=True):
        R = roma.rotvec_to_rotmat(turn.double()).detach().numpy()
        only_turned = replace(camera, R_cam_world=R @ camera.R_cam_world, t_cam_world=R @ camera.t_cam_world)
        centre = camera.project(hand).numpy()
        before, after = only_turned.project(beside).numpy(), real[camera.name].project(beside).numpy()
        np.testing.assert_allclose(after - centre, scale * (before - centre), atol=1e-3)


@pytest.mark.parametrize("motion", ["translation", "rotation", "size"])
def test_nothing_of_the_cameras_stands_for_what_a_hand_can_do(motion):
    """What imitates it is projected to nothing; other numbers mostly stay."""
    rotations = CameraRotations(cameras(), np.zeros(3)).double()
    p = torch.tensor(np.stack([-camera.center_world for camera in cameras()]))
    way = torch.tensor([0.003, -0.002, 0.001], dtype=torch.float64).expand_as(p)
    n, distance = p / p.norm(dim=1, keepdim=True), p.norm(dim=1, keepdim=True)
    imitating = torch.zeros(5, 4, dtype=torch.float64)
    if motion == "translation":
        imitating[:, :3] = torch.linalg.cross(p, way) / distance**2
        imitating[:, 3:] = -(n * way).sum(dim=1, keepdim=True) / distance / LOG_SCALE
    elif motion == "rotation":
        imitating[:, :3] = n * (n * way).sum(dim=1, keepdim=True)
    else:
        imitating[:, 3] = 0.01
    with torch.no_grad():
        rotations.free.copy_(imitating)
    assert rotations.rotations_world().abs().max() < 1e-6 * imitating.abs().max()
    assert (rotations.scales() - 1).abs().max() < 1e-6
    left = turned().rotations_world().norm() / turned().free[:, :3].norm()
    assert 0.5 < left < 1


@pytest.mark.parametrize(("count", "freedom"), [(1, 0), (2, 2), (3, 5), (5, 13)])
def test_freedom_left_by_the_gauge(count, freedom):
    """Of n cameras 4 n - 7 numbers, but for few: what two see of a turn of the hand is less."""
    rotations = CameraRotations(cameras(count), np.zeros(3))
    projector = torch.autograd.functional.jacobian(
        lambda free: torch.func.functional_call(World(rotations), {"rotations.free": free}, ()).flatten(),
        torch.zeros(count, 4),
    ).reshape(4 * count, 4 * count)
    assert torch.linalg.matrix_rank(projector, atol=1e-4).item() == freedom


class World(torch.nn.Module):
    def __init__(self, rotations: CameraRotations) -> None:
        super().__init__()
        self.rotations = rotations

    def forward(self) -> torch.Tensor:
        scales = self.rotations.scales().log() / LOG_SCALE
        return torch.cat([self.rotations.rotations_world(), scales[:, None]], dim=1)


def test_gradients_are_those_of_finite_differences():
    """gradcheck in float64 on smooth pictures; bilinear kinks ask for 1 % of tolerance."""
    rotations, given = turned().double(), cameras()
    pictures = [blob(camera.project(torch.zeros(3)).numpy(), camera) for camera in given]

    class Moments(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rotations = rotations

        def forward(self) -> torch.Tensor:
            moved = self.rotations.resample(pictures, given, torch.arange(5))
            return torch.stack([(picture[..., 0] * torch.arange(60)).mean() for picture in moved])

    def moments(free: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(Moments(), {"rotations.free": free}, ())

    assert torch.autograd.gradcheck(moments, rotations.free.detach().clone().requires_grad_(), eps=1e-6, rtol=1e-2)

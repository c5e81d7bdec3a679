"""Lens models against OpenCV's own."""

import cv2
import numpy as np
import pytest
import torch

from handrefine.errors import InputError
from handrefine.lens import Lens
from handrefine.sequence import Camera

FOCAL_PX = 900.0
OPENCV = {
    4: (-0.31, 0.12, 0.001, -0.002),
    5: (-0.31, 0.12, 0.001, -0.002, 0.03),
    8: (-0.31, 0.12, 0.001, -0.002, 0.03, 0.05, -0.02, 0.004),
    12: (-0.31, 0.12, 0.001, -0.002, 0.03, 0.05, -0.02, 0.004, 0.002, -0.001, 0.003, 0.0005),
    14: (-0.31, 0.12, 0.001, -0.002, 0.03, 0.05, -0.02, 0.004, 0.002, -0.001, 0.003, 0.0005, 0.02, -0.03),
}
FISHEYE = (0.05, -0.02, 0.006, -0.001)


def points() -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(3).uniform(-0.6, 0.6, (200, 2)))


@pytest.mark.parametrize("count", OPENCV)
def test_opencv_puts_the_points_at_the_same_pixel(count: int) -> None:
    in_space = torch.cat([points(), torch.ones(200, 1)], dim=1).numpy()
    K = np.array([[FOCAL_PX, 0, 640], [0, FOCAL_PX, 512], [0, 0, 1.0]])
    theirs = cv2.projectPoints(in_space, np.zeros(3), np.zeros(3), K, np.array(OPENCV[count]))[0][:, 0]
    ours = Lens("opencv", OPENCV[count]).distort(points()).numpy() * FOCAL_PX + [640, 512]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_fisheye_puts_the_points_at_the_same_pixel() -> None:
    p = points() * 3
    theirs = cv2.fisheye.distortPoints(p.numpy()[None], np.diag([FOCAL_PX, FOCAL_PX, 1.0]), np.array(FISHEYE))[0]
    np.testing.assert_allclose(Lens("fisheye", FISHEYE).distort(p).numpy() * FOCAL_PX, theirs, atol=1e-6)
    assert torch.equal(Lens("fisheye", FISHEYE).distort(torch.zeros(1, 2)), torch.zeros(1, 2))


@pytest.mark.parametrize("lens", [*(Lens("opencv", c) for c in OPENCV.values()), Lens("fisheye", FISHEYE)])
def test_undistort_is_the_inverse(lens: Lens) -> None:
    p = points() * (3 if lens.model == "fisheye" else 1)
    inside = lens.sees(p)
    assert inside.float().mean() > 0.9
    torch.testing.assert_close(lens.undistort(lens.distort(p))[inside], p[inside], atol=1e-7, rtol=0)


@pytest.mark.parametrize("lens", [Lens("opencv", OPENCV[14]), Lens("fisheye", FISHEYE)])
def test_distort_is_differentiable(lens: Lens) -> None:
    p = points()[:20].requires_grad_()
    assert torch.autograd.gradcheck(lens.distort, (p,))
    at_centre = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    lens.distort(at_centre).sum().backward()
    assert torch.isfinite(at_centre.grad).all()


def test_beyond_its_turning_point_a_lens_sees_nothing() -> None:
    lens = Lens("opencv", (-0.5, 0.0, 0.0, 0.0))  # r (1 - r^2 / 2) grows up to r = sqrt(2 / 3)
    assert lens.reach == pytest.approx((2 / 3) ** 0.5, abs=0.01)
    assert torch.isnan(lens.undistort(torch.tensor([[0.7, 0.0]]))).all()


def test_a_wrong_number_of_coefficients_is_refused() -> None:
    with pytest.raises(InputError, match="another number"):
        Lens("opencv", (0.1, 0.2, 0.3))


@pytest.mark.parametrize("lens", [*(Lens("opencv", c) for c in OPENCV.values()), Lens("fisheye", FISHEYE)])
def test_the_jacobian_is_the_derivative(lens: Lens) -> None:
    p, step = points(), 1e-5
    for column, along in enumerate(torch.eye(2, dtype=torch.float64)):
        slope = (lens.distort(p + step * along) - lens.distort(p - step * along)) / (2 * step)
        torch.testing.assert_close(lens.jacobian(p)[..., column], slope, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("lens", [Lens("opencv", OPENCV[14]), Lens("fisheye", FISHEYE)])
def test_a_camera_projects_through_its_lens_and_crops_keep_it(lens: Lens) -> None:
    camera = Camera("c", 640, 512, 700.0, 690.0, 310.0, 250.0, np.eye(3), np.zeros(3), lens=lens)
    world = torch.cat([points(), torch.ones(200, 1)], dim=1) * 0.7
    K = np.array([[700.0, 0, 310], [0, 690, 250], [0, 0, 1]])
    project = cv2.fisheye.projectPoints if lens.model == "fisheye" else cv2.projectPoints
    arguments = (world.numpy()[:, None], np.zeros(3), np.zeros(3), K, np.array(lens.coefficients))
    theirs = project(*arguments)[0].reshape(-1, 2)
    uv_px = camera.project(world)
    np.testing.assert_allclose(uv_px, theirs, atol=1e-6)
    np.testing.assert_allclose(camera.cropped(20, 30, 64, 64).project(world), theirs - [20, 30], atol=1e-6)
    torch.testing.assert_close(camera.on_plane(uv_px), points(), atol=1e-7, rtol=0)


def test_beyond_the_reach_of_its_lens_a_camera_shows_nothing() -> None:
    lens = Lens("opencv", (-0.5, 0.0, 0.0, 0.0))
    camera = Camera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, np.eye(3), np.zeros(3), lens=lens)
    world = torch.tensor([[0.3, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, -1.0]], requires_grad=True)
    uv_px = camera.project(world)
    assert torch.isfinite(uv_px).all(dim=1).tolist() == [True, False, False]
    uv_px[0].sum().backward()
    assert torch.isfinite(world.grad).all()

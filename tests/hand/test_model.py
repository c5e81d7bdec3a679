"""The hand model: order of joints, conventions of rotation, the reflected hand, gradients."""

import numpy as np
import pytest
import roma
import torch

from handrefine.hand.model import load_hand_model
from handrefine.sequence import JOINT_NAMES

MIRROR_AA = torch.tensor([1.0, -1.0, -1.0] * 16, dtype=torch.float64)
MIRROR = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def right():
    return load_hand_model("right").to(torch.float64)


@pytest.fixture(scope="module")
def left():
    return load_hand_model("left").to(torch.float64)


def random_parameters(frames: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    draw = [torch.randn(frames, n, generator=g, dtype=torch.float64) for n in (48, 10, 3)]
    return 0.4 * draw[0], draw[1], draw[2]


def test_the_joints_form_a_hand(right):
    zero = [torch.zeros(1, n, dtype=torch.float64) for n in (48, 10, 3)]
    joints = right(*zero).joints_world[0].numpy()
    wrist_distance = dict(zip(JOINT_NAMES, np.linalg.norm(joints - joints[0], axis=1), strict=True))
    for finger in ("thumb", "index", "middle", "ring", "pinky"):
        along = [wrist_distance[f"{finger}{k}"] for k in (1, 2, 3, 4)]
        assert along == sorted(along), finger
        tip = joints[JOINT_NAMES.index(f"{finger}4")]
        assert 0.01 < np.linalg.norm(tip - joints[JOINT_NAMES.index(f"{finger}3")]) < 0.04
    # Fingers towards -x, the thumb towards +z, the pinky towards -z: MANO's right hand.
    assert joints[JOINT_NAMES.index("middle1"), 0] < -0.05
    assert joints[JOINT_NAMES.index("index1"), 2] > joints[JOINT_NAMES.index("pinky1"), 2]
    assert joints[JOINT_NAMES.index("thumb1"), 2] > joints[JOINT_NAMES.index("index1"), 2] - 0.02


def test_the_whole_hand_rotates_about_its_root_joint_and_is_then_translated(right):
    pose, shape, trans = random_parameters()
    still = pose.clone()
    still[:, :3] = 0
    rest = right(still, shape, torch.zeros_like(trans))
    posed = right(pose, shape, trans)
    root = rest.joints_world[:, :1]
    R = roma.rotvec_to_rotmat(pose[:, :3])
    expected = (rest.verts_world - root) @ R.mT + root + trans[:, None]
    torch.testing.assert_close(posed.verts_world, expected, atol=1e-8, rtol=0)


def test_the_mean_pose_is_added_unless_the_hand_is_said_to_be_flat(right):
    pose, shape, trans = random_parameters()
    shifted = pose.clone()
    shifted[:, 3:] += right.hands_mean
    torch.testing.assert_close(
        right(pose, shape, trans).verts_world, right(shifted, shape, trans, flat_hand_mean=True).verts_world
    )
    assert right.hands_mean.abs().max() > 0.05


def test_the_left_hand_is_the_reflection_of_the_right(right, left):
    pose, shape, trans = random_parameters()
    a, b = right(pose, shape, trans), left(pose * MIRROR_AA, shape, trans * MIRROR)
    torch.testing.assert_close(b.verts_world * MIRROR, a.verts_world, atol=1e-8, rtol=0)
    torch.testing.assert_close(b.joints_world * MIRROR, a.joints_world, atol=1e-8, rtol=0)
    for model, geometry in ((right, a), (left, b)):
        corners = geometry.verts_world[0][model.topology.faces.copy()]
        volume = torch.linalg.det(corners - corners.mean((0, 1))).sum()
        assert volume > 0, f"the triangles of the {model.side} hand face inwards"


def test_joint_limits_are_reflected_too(right, left):
    low, high = left.joint_limits * MIRROR_AA[3:].numpy()
    np.testing.assert_allclose(np.minimum(low, high), right.joint_limits[0])
    np.testing.assert_allclose(np.maximum(low, high), right.joint_limits[1])


def test_the_joints_alone_are_the_joints_of_the_mesh(left):
    parameters = random_parameters()
    torch.testing.assert_close(left.joints(*parameters), left(*parameters).joints_world, atol=1e-10, rtol=0)


def test_gradients_match_finite_differences(right):
    weights = torch.randn(1, right.n_vertices, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def mixed(pose, shape, trans):
        out = right(pose, shape, trans)
        return (out.verts_world * weights).sum() + out.joints_world.square().sum()

    inputs = tuple(x.requires_grad_() for x in random_parameters(frames=1))
    assert torch.autograd.gradcheck(mixed, inputs, eps=1e-6, atol=1e-5, rtol=1e-5)


def test_no_output_and_no_global_precision_on_loading(capsys):
    load_hand_model("right")
    assert capsys.readouterr().out == ""
    assert torch.get_default_dtype() == torch.float32


def test_the_open_hand_has_a_skin_in_linear_colours(right):
    skin = right.default_skin()
    assert skin.dtype == np.float32
    assert skin.min() >= 0
    assert skin.max() <= 1
    red, green, blue = skin.reshape(-1, 3).mean(0)
    assert red > green > blue

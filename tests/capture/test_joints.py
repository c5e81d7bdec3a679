"""3D joints of noisy 2D ones: triangulation, sides and smoothing together, as an import does them."""

import made_captures
import numpy as np
import pytest

from handrefine.capture.joints import joints_in_space
from handrefine.lens import Lens


@pytest.mark.parametrize("n_cameras", [2, 4])
def test_noise_and_outliers_leave_the_joints_near_and_on_their_side(n_cameras: int) -> None:
    """6 px of noise at 1280 px, a tenth of the joints anywhere, a tenth of the words wrong."""
    cameras, truth = made_captures.rig(n_cameras), made_captures.hands(60)
    found = made_captures.detected(
        cameras, truth, np.random.default_rng(0), noise_px=6, outliers=0.1, wrong_words=0.1
    )
    joints = joints_in_space(cameras, found)
    assert joints.valid.mean() > 0.97
    error_mm = np.linalg.norm(joints.joints_world - truth, axis=-1) * 1e3
    assert np.nanmean(error_mm) < 5.0
    assert np.nanmax(np.nanmean(error_mm, axis=-1)) < 15.0
    other_mm = np.linalg.norm(joints.joints_world - truth[:, ::-1], axis=-1) * 1e3
    assert (np.nanmean(other_mm, axis=-1) > np.nanmean(error_mm, axis=-1)).all()


def test_exact_detections_through_a_lens_give_exact_joints() -> None:
    cameras = made_captures.rig(3, lens=Lens("opencv", (-0.2, 0.05, 0.001, -0.001, 0.0)))
    truth = made_captures.hands(3)
    found = made_captures.detected(cameras, truth, np.random.default_rng(0))
    joints = joints_in_space(cameras, found, smoothed=False)
    np.testing.assert_allclose(joints.joints_world, truth, atol=1e-6)


def test_a_row_of_wrong_words_renames_no_hand() -> None:
    cameras, truth = made_captures.rig(2), made_captures.hands(40)
    found = made_captures.detected(cameras, truth, np.random.default_rng(0))
    alone = np.isfinite(found.uv_px[..., 0, 0]) & (found.right_score < 0.5)  # the right hand only
    found.uv_px[alone] = np.nan
    found.confidence[alone] = 0.0
    found.right_score[:, 10:22] = 1 - found.right_score[:, 10:22]
    joints = joints_in_space(cameras, found)
    assert joints.valid[:, 0].all()
    assert not joints.valid[:, 1].any()


def test_smoothing_invents_no_motion_and_keeps_what_there_is() -> None:
    cameras = made_captures.rig(4)
    still = np.repeat(made_captures.hands(1), 60, axis=0)
    found = made_captures.detected(cameras, still, np.random.default_rng(0), noise_px=6)
    speed_mm = np.linalg.norm(np.diff(joints_in_space(cameras, found).joints_world, axis=0), axis=-1) * 1e3
    assert speed_mm.mean() < 0.1
    jumping = still.copy()
    jumping[30:] += [0.05, 0.0, 0.0]  # within one frame
    found = made_captures.detected(cameras, jumping, np.random.default_rng(0), noise_px=1)
    error_mm = np.linalg.norm(joints_in_space(cameras, found).joints_world - jumping, axis=-1) * 1e3
    assert np.nanmean(error_mm) < 2.0


def test_a_long_gap_stays_open() -> None:
    cameras, truth = made_captures.rig(3), made_captures.hands(40)
    found = made_captures.detected(cameras, truth, np.random.default_rng(0), noise_px=2)
    for first, length in ((8, 2), (20, 9)):
        found.uv_px[:, first : first + length] = np.nan
        found.confidence[:, first : first + length] = 0.0
    joints = joints_in_space(cameras, found)
    assert joints.valid[:20].mean() > 0.98
    assert not joints.valid[20:29].any()
    assert np.isnan(joints.joints_world[20:29]).all()

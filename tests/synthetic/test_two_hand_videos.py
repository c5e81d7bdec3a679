"""Videos of two hands: near one another without touching, one person, and whole on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from handrefine import regions
from handrefine.cli.main import main
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.hand.model import HandModel
from handrefine.synthetic.hand_placement import CLEARANCE_M
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth, make_truths
from handrefine.synthetic.truth_file import load_truth, save_truth


@pytest.fixture(scope="module")
def models(right_hand: HandModel, left_hand: HandModel) -> tuple[HandModel, HandModel]:
    return right_hand, left_hand


@pytest.fixture(scope="module")
def videos(models: tuple[HandModel, HandModel]) -> dict[int, tuple[SyntheticTruth, ...]]:
    """Three videos of both hands, by seed."""
    skin = np.full((8, 8, 3), 0.4, np.float32)
    settings = SyntheticSettings(n_cameras=8, n_frames=4, size=96, texture_size=64)
    return {seed: make_truths(models, [skin, skin], replace(settings, seed=seed)) for seed in range(3)}


@pytest.fixture(scope="module")
def truths(videos: dict[int, tuple[SyntheticTruth, ...]]) -> tuple[SyntheticTruth, ...]:
    return videos[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_hands_nearly_touch_and_do_not(videos: dict[int, tuple[SyntheticTruth, ...]], seed: int) -> None:
    right, left = videos[seed]
    nearest_m = min(KDTree(a).query(b)[0].min() for a, b in zip(right.verts_world, left.verts_world, strict=True))
    assert CLEARANCE_M <= nearest_m < CLEARANCE_M + 0.004


def test_each_hides_the_other_from_some_cameras(truths: tuple[SyntheticTruth, ...]) -> None:
    """In some views the middles of the hands lie behind one another, in others beside one another."""
    right, left = (torch.as_tensor(t.verts_world[0]) for t in truths)
    apart, nearer = [], set()
    for camera in truths[0].cameras.values():
        size_px = np.ptp(camera.project(right).numpy(), axis=0).max()
        offset_px = (camera.project(right).mean(dim=0) - camera.project(left).mean(dim=0)).norm()
        apart.append(float(offset_px) / size_px)
        if apart[-1] < 0.2:
            nearer.add(bool(camera.to_camera(right)[:, 2].mean() < camera.to_camera(left)[:, 2].mean()))
    assert max(apart) > 0.35
    assert nearer == {True, False}


def test_one_person_has_two_mirrored_hands(
    models: tuple[HandModel, HandModel], truths: tuple[SyntheticTruth, ...]
) -> None:
    right, left = truths
    np.testing.assert_array_equal(right.mano.shape, left.mano.shape)
    rest = [
        model(
            torch.zeros(1, 48), torch.as_tensor(t.mano.shape[:1]).float(), torch.zeros(1, 3), flat_hand_mean=True
        )
        for model, t in zip(models, truths, strict=True)
    ]
    mirrored = rest[1].verts_world * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(rest[0].verts_world, mirrored, atol=1e-6, rtol=0)
    assert np.abs(right.mano.pose_aa[:, 3:] - left.mano.pose_aa[:, 3:]).max() > 0.3
    assert right.cameras is left.cameras
    np.testing.assert_array_equal(right.light, left.light)


def test_a_truth_file_holds_both_hands(truths: tuple[SyntheticTruth, ...], tmp_path: Path) -> None:
    save_truth(tmp_path / "truth.npz", *truths)
    for truth in truths:
        again = load_truth(tmp_path / "truth.npz", truth.side)
        assert again.side == truth.side
        for name in ("verts_world", "joints_world", "texture", "light"):
            np.testing.assert_array_equal(getattr(again, name), getattr(truth, name))
        np.testing.assert_array_equal(again.mano.trans_m, truth.mano.trans_m)
    assert load_truth(tmp_path / "truth.npz").side == "right"


@pytest.mark.usefixtures("runtime")
def test_a_video_of_both_hands_on_disk(models: tuple[HandModel, HandModel], tmp_path: Path) -> None:
    size = ["--n-cameras", "2", "--n-frames", "1", "--size", "48", "--truth-kind", "mismatched"]
    main(["synthesize", "--out", str(tmp_path / "data"), "--hand", "both", *size])
    sequence = read_interhand26m(tmp_path / "data")
    for model in models:
        truth = load_truth(tmp_path / "data" / "truth.npz", model.side)
        mano = sequence.annotation(model.side).mano
        assert mano is not None
        out = model(
            *(torch.as_tensor(v).float() for v in (mano.pose_aa, mano.shape, mano.trans_m)), flat_hand_mean=False
        )
        error_mm = 1000 * np.linalg.norm(out.verts_world.numpy() - truth.verts_world, axis=-1).mean()
        assert error_mm == pytest.approx(10.0, abs=1e-2)
        for name, camera in sequence.cameras.items():
            u, v = camera.project(torch.as_tensor(truth.verts_world[0])).long().numpy().T
            mask = sequence.masks[0, name]()
            assert regions.dilated(mask, 1.5)[v, u].all()  # the mask shows the skin of both hands

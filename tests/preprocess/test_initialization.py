"""What a dataset says of its MANO parameters is honoured by the hand model that reads them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handrefine.errors import InputError
from handrefine.hand.config import HandConfig
from handrefine.hand.model import OPEN_HAND, load_hand_model
from handrefine.preprocess import initialization
from handrefine.preprocess.initialization import in_terms_of, initialize, load_hand, other_joints, posed_joints
from handrefine.sequence import (
    JOINT_NAMES,
    FrameId,
    HandAnnotation,
    HandSequence,
    ManoParameters,
    PcaParameters,
)

#: A model in a file of its own counts as the official one.
OFFICIAL = HandConfig(model_file=OPEN_HAND / "model.npz")


def _sequence(**facts: bool) -> HandSequence:
    rng = np.random.default_rng(0)
    hand = load_hand_model("right")
    joints = hand.joints(*_zeros()).numpy().astype(np.float64)
    pca = PcaParameters(rng.normal(0, 0.1, (1, 48)), np.zeros((1, 10)), np.zeros((1, 3)))
    told = HandAnnotation("right", mano_valid=np.array([True]), joints_world=joints, mano_pca=pca)
    return HandSequence("video", {}, (4,), {}, {"right": told}, **facts)


def _zeros():
    import torch

    return (torch.zeros(1, n) for n in (48, 10, 3))


def test_coefficients_become_the_models_angles() -> None:
    sequence = _sequence(official_mano=True)
    start = initialize(sequence, "right", OFFICIAL)
    pca, components = sequence.annotation("right").mano_pca, load_hand("right", sequence, OFFICIAL).pca_components
    expected = sum(pca.pose_pca[0, 3 + k] * components[k] for k in range(45))
    np.testing.assert_allclose(start.parameters.pose_aa[0, 3:], expected, atol=1e-12)
    np.testing.assert_array_equal(start.parameters.pose_aa[0, :3], pca.pose_pca[0, :3])
    assert start.joint_residual_mm is None


def test_the_open_hand_follows_the_joints_of_official_parameters() -> None:
    start = initialize(_sequence(official_mano=True), "right", HandConfig())
    assert start.joint_residual_mm is not None
    assert start.joint_residual_mm < 1
    assert set(start.residual_by_joint_mm) == set(JOINT_NAMES)
    assert np.mean(list(start.residual_by_joint_mm.values())) == pytest.approx(start.joint_residual_mm)
    told = _sequence(official_mano=True).annotation("right")
    silent = replace(_sequence(official_mano=True), annotations={"right": replace(told, joints_world=None)})
    with pytest.raises(InputError, match=r"official MANO model(.|\n)*--hand.model-file"):
        in_terms_of(load_hand_model("right"), silent)


def test_parameters_of_no_official_model_stay() -> None:
    mano = ManoParameters(np.ones((1, 48)), np.zeros((1, 10)), np.zeros((1, 3)))
    sequence = replace(_sequence(), annotations={"right": HandAnnotation("right", mano=mano)})
    assert in_terms_of(load_hand_model("right"), sequence).mano is mano


@pytest.mark.parametrize(
    ("dataset", "user", "expected"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_the_left_hands_shape(
    dataset: bool, user: bool | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, hand = {}, load_hand_model("left")

    def load(side: str, file: None, **options: bool):
        asked.update(options)
        return hand

    monkeypatch.setattr(initialization, "load_hand_model", load)
    load_hand("left", _sequence(fix_left_shape=dataset), HandConfig(fix_left_shape=user))
    assert asked == {"fix_left_shape": expected}


def test_which_datasets_turned_the_left_shape(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
    request.addfinalizer(lambda: sys.path.pop(0))
    from tiny_datasets import write_dexycb
    from tiny_interhand26m import write_dataset

    from handrefine.datasets.registry import read_dataset

    write_dexycb(tmp_path / "dexycb", side="left")
    dexycb = read_dataset(tmp_path / "dexycb")
    assert list(dexycb.annotations) == ["left"]
    assert not dexycb.fix_left_shape
    assert read_dataset(write_dataset(tmp_path / "interhand")).fix_left_shape


def _posed(joints_off_m: float = 0.0, *, joints: bool = True, open_hand: bool = True) -> HandSequence:
    """The open hand's parameters with its joints, or with joints so far from them."""
    rng, hand = np.random.default_rng(1), load_hand_model("right")
    mano = ManoParameters(
        rng.normal(0, 0.2, (2, 48)), rng.normal(0, 1, (2, 10)), np.full((2, 3), 0.1), open_hand=open_hand
    )
    joints_world = posed_joints(hand, mano).astype(np.float64) + np.array([joints_off_m, 0, 0])
    told = HandAnnotation("right", mano, np.ones(2, bool), joints_world if joints else None)
    return HandSequence("video", {}, (FrameId(4), FrameId(8)), {}, {"right": told})


@pytest.mark.parametrize(("off_m", "followed"), [(0.0, False), (0.015, False), (0.09, True)])
def test_parameters_centimetres_from_their_joints_are_not_the_open_hands(
    off_m: float, followed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    annotation = in_terms_of(load_hand_model("right"), _posed(off_m))
    assert (annotation.mano is None) == followed
    assert ("fitted to the joints" in caplog.text) == followed


@pytest.mark.parametrize("joints", [False, True])
def test_a_model_file_follows_the_joints_of_the_open_hands_parameters(joints: bool) -> None:
    """With joints in the dataset it takes those, else those of the open hand itself."""
    sequence = _posed(0.02, joints=joints)
    annotation = in_terms_of(load_hand("right", sequence, OFFICIAL), sequence)
    assert annotation.mano is None
    expected = _posed(0.02 if joints else 0.0).annotation("right").joints_world
    np.testing.assert_allclose(annotation.joints_world, expected, atol=1e-6)
    assert initialize(sequence, "right", OFFICIAL).joint_residual_mm < 3
    unmarked = _posed(joints=joints, open_hand=False)
    assert in_terms_of(load_hand("right", unmarked, OFFICIAL), unmarked).mano is not None


def test_a_hand_known_by_official_parameters_only_is_left_out_of_the_others_fit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = _posed(joints=False, open_hand=False)
    left = replace(told.annotation("right"), side="left")
    sequence = replace(told, annotations={**told.annotations, "left": left})
    assert np.isfinite(other_joints(sequence, "right", HandConfig()).numpy()).all()
    assert other_joints(replace(sequence, official_mano=True), "right", HandConfig()) is None
    assert "the left hand is left out" in caplog.text

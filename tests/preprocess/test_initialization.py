"""What a dataset says of its MANO parameters is honoured by the hand model that reads them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handrefine.errors import InputError
from handrefine.hand.config import HandConfig
from handrefine.hand.model import OPEN_HAND, load_hand_model
from handrefine.preprocess import initialization
from handrefine.preprocess.initialization import in_terms_of, initialize, load_hand
from handrefine.sequence import HandAnnotation, HandSequence, ManoParameters, PcaParameters

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

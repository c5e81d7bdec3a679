"""Poses relative to the flat hand are exported relative to the mean pose, as InterHand2.6M's readers expect."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from example_run import write_example_run

from handrefine.datasets.interhand26m_layout import annotation_path
from handrefine.errors import InputError
from handrefine.export.formats import export
from handrefine.hand.model import load_hand_model
from handrefine.io.text_files import read_json
from handrefine.runs.annotation_file import read_annotation_npz, write_annotation_npz
from handrefine.runs.reader import open_run
from handrefine.sequence import ManoParameters


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose parameters are relative to the flat hand, as HO-3D's are."""
    write_example_run(tmp_path / "run", iterations=1)
    path = tmp_path / "run" / "annotation.npz"
    annotation = read_annotation_npz(path)
    pose = np.random.default_rng(3).normal(0, 0.2, annotation.after.mano.pose_aa.shape)
    flat = replace(annotation.after.mano, pose_aa=pose, flat_hand_mean=True)
    write_annotation_npz(path, replace(annotation, after=replace(annotation.after, mano=flat)))
    return tmp_path / "run"


def vertices(mano: ManoParameters) -> np.ndarray:
    hand = load_hand_model("right", None).double()
    tensors = (torch.tensor(v, dtype=torch.float64) for v in (mano.pose_aa, mano.shape, mano.trans_m))
    return hand(*tensors, flat_hand_mean=mano.flat_hand_mean).verts_world.detach().numpy()


def test_the_exported_pose_is_the_same_hand(run: Path, tmp_path: Path) -> None:
    export(open_run(run), "interhand26m", tmp_path / "out")
    entries = read_json(annotation_path(tmp_path / "out", "test", "MANO_NeuralAnnot"))["0"]
    hands = [entries[frame]["right"] for frame in entries]
    exported = ManoParameters(*(np.array([hand[key] for hand in hands]) for key in ("pose", "shape", "trans")))
    original = read_annotation_npz(run / "annotation.npz").after.mano
    assert original.flat_hand_mean
    mean = load_hand_model("right", None).hands_mean.numpy()
    np.testing.assert_allclose(exported.pose_aa[:, 3:], original.pose_aa[:, 3:] - mean, atol=1e-6)
    np.testing.assert_allclose(vertices(exported), vertices(original), atol=1e-6)


def test_a_model_that_is_gone_is_asked_for(run: Path, tmp_path: Path) -> None:
    path = run / "annotation.npz"
    write_annotation_npz(path, replace(read_annotation_npz(path), hand_model="MANO_RIGHT.pkl", open_hand=False))
    with pytest.raises(InputError, match=r"MANO_RIGHT\.pkl(.|\n)*fix:.*hand\.model_file"):
        export(open_run(run), "interhand26m", tmp_path / "out")
